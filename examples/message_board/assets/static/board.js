// SPDX-License-Identifier: Apache-2.0
// New messages arrive as server-sent events, or by long polling where event streams are blocked.
// ?transport=poll in the URL forces long polling.
'use strict';

const list = document.getElementById('messages');
const state = document.getElementById('state');
const form = document.getElementById('composer');
const errorText = document.getElementById('error');
const remaining = document.getElementById('remaining');
const cardTemplate = document.getElementById('card');

const maxShown = 300;
const retryDelay = 1000;      // ms
const openTimeout = 8000;     // ms: behind a proxy that buffers event streams they never open
const hiddenTimeout = 10000;  // ms: a browser limits the connections of all tabs, so a hidden tab closes its own
const pollOnly = new URLSearchParams(location.search).get('transport') === 'poll' || !window.EventSource;

// ---- showing messages

// Must match hue_of in pages.cpp.
function hueOf(author) {
  return new TextEncoder().encode(author).reduce((sum, byte) => sum + byte, 0) % 8;
}

function makeCard(message) {
  const card = cardTemplate.content.firstElementChild.cloneNode(true);
  card.id = `m${message.id}`;
  card.dataset.id = message.id;
  const avatar = card.querySelector('.avatar');
  avatar.dataset.hue = hueOf(message.author);
  avatar.textContent = [...message.author][0] || '';
  card.querySelector('.author').textContent = message.author;
  card.querySelector('.text').textContent = message.text;
  card.querySelector('.when').href = `#m${message.id}`;
  card.querySelector('time').dateTime = message.created_at;
  card.classList.add('new');
  showTime(card.querySelector('time'));
  return card;
}

// Newest first, each once, in whatever order they arrive.
function show(message) {
  if (document.getElementById(`m${message.id}`)) return;
  const older = [...list.children].find(card => Number(card.dataset.id) < message.id);
  list.insertBefore(makeCard(message), older || null);
  while (list.children.length > maxShown) list.lastElementChild.remove();
}

const clockTime = new Intl.DateTimeFormat(undefined, {hour: '2-digit', minute: '2-digit'});
const fullTime = new Intl.DateTimeFormat(undefined, {dateStyle: 'medium', timeStyle: 'short'});

function showTime(time) {
  const when = new Date(time.dateTime);
  const minutes = Math.floor((Date.now() - when) / 60000);
  if (minutes < 1) time.textContent = 'just now';
  else if (minutes < 60) time.textContent = `${minutes} min ago`;
  else time.textContent = (when.toDateString() === new Date().toDateString() ? clockTime : fullTime).format(when);
  time.title = fullTime.format(when);
}

function refreshTimes() {
  for (const time of list.querySelectorAll('time')) showTime(time);
}

// ---- receiving messages

const stateTexts = {live: 'Live', polling: 'Live, by polling', waiting: 'Reconnecting …', none: ''};

function setState(name) {
  state.dataset.state = name;
  state.textContent = stateTexts[name];
}

const pause = ms => new Promise(resolve => setTimeout(resolve, ms));

class Listener {
  constructor(last) {
    this.last = last;  // id of the newest message received
    this.polling = pollOnly;
    this.failures = 0;
    this.stopped = null;
  }

  start() {
    if (this.stopped) return;
    this.stopped = new AbortController();
    if (this.polling) this.poll(this.stopped.signal);
    else this.stream(this.stopped.signal);
  }

  stop() {
    this.stopped?.abort();
    this.stopped = null;
  }

  receive(message) {
    this.last = Math.max(this.last, message.id);
    show(message);
  }

  stream(signal) {
    const source = new EventSource(`/events?after=${this.last}`);
    const openTimer = setTimeout(() => this.usePolling(), openTimeout);
    signal.addEventListener('abort', () => { clearTimeout(openTimer); source.close(); });
    source.onopen = () => {
      clearTimeout(openTimer);
      this.failures = 0;
      this.opened = true;
      setState('live');
    };
    source.onmessage = event => this.receive(JSON.parse(event.data));
    source.onerror = () => {
      setState('waiting');
      if (this.opened) clearTimeout(openTimer);
      if (!this.opened && ++this.failures >= 3) return this.usePolling();
      if (source.readyState === EventSource.CLOSED) this.restart();  // the browser does not retry
    };
  }

  usePolling() {
    this.stop();
    this.polling = true;
    this.start();
  }

  async restart() {
    this.stop();
    await pause(retryDelay);
    if (!document.hidden) this.start();
  }

  async poll(signal) {
    while (!signal.aborted) {
      try {
        setState(this.failures ? 'waiting' : 'polling');
        // After a failure, polls without waiting for new messages: is the server back?
        const wait = this.failures ? '&wait=0' : '';
        const response = await fetch(`/poll?after=${this.last}${wait}`, {signal, cache: 'no-store'});
        if (!response.ok) throw new Error(response.statusText);
        const update = await response.json();
        update.messages.forEach(message => this.receive(message));
        this.last = update.last;
        this.failures = 0;
      } catch {
        if (signal.aborted) return;
        this.failures++;
        await pause(retryDelay);
      }
    }
  }
}

function listen() {
  const listener = new Listener(Number(list.dataset.last));
  let hideTimer;
  listener.start();
  document.addEventListener('visibilitychange', () => {
    clearTimeout(hideTimer);
    if (document.hidden) hideTimer = setTimeout(() => listener.stop(), hiddenTimeout);
    else listener.start();
  });
  addEventListener('pagehide', () => listener.stop());
  addEventListener('pageshow', event => { if (event.persisted) listener.start(); });
}

// ---- posting messages

function loadSetting(name) {
  try { return localStorage.getItem(name); } catch { return null; }
}

function saveSetting(name, value) {
  try { localStorage.setItem(name, value); } catch { /* storage is disabled */ }
}

async function errorOf(response) {
  const body = await response.json().catch(() => ({}));
  return body.detail || body.error || `The server returned ${response.status}.`;
}

async function send(event) {
  event.preventDefault();
  const button = form.querySelector('button');
  const {author, text} = form.elements;
  errorText.textContent = '';
  button.disabled = true;
  try {
    const response = await fetch('/messages', {
      method: 'POST',
      headers: {'Content-Type': 'application/json', 'Accept': 'application/json'},
      body: JSON.stringify({author: author.value, text: text.value}),
    });
    if (!response.ok) throw new Error(await errorOf(response));
    const message = await response.json();
    if (list.dataset.live === 'yes') show(message);
    else location.assign('/');
    saveSetting('author', author.value);
    text.value = '';
    showRemaining();
    text.focus();
  } catch (error) {
    errorText.textContent = error instanceof TypeError
      ? 'The server is not responding. Your message is still here; try again.' : error.message;
  } finally {
    button.disabled = false;
  }
}

function showRemaining() {
  const {text} = form.elements;
  const count = text.maxLength - text.value.length;
  remaining.textContent = count <= 100 ? `${count} characters left` : '';
}

form.addEventListener('submit', send);
form.elements.text.addEventListener('input', showRemaining);
form.addEventListener('keydown', event => {
  if (event.key === 'Enter' && (event.ctrlKey || event.metaKey)) form.requestSubmit();
});
if (!form.elements.author.value) form.elements.author.value = loadSetting('author') || '';
refreshTimes();
setInterval(refreshTimes, 30000);
if (list.dataset.live === 'yes') listen();
