// SPDX-License-Identifier: Apache-2.0
// New messages come by server-sent events, or by long polling where those do not get through.
// ?transport=poll in the address forces the latter.
'use strict';

const list = document.getElementById('messages');
const state = document.getElementById('state');
const form = document.getElementById('composer');
const complaint = document.getElementById('complaint');
const left = document.getElementById('left');
const cardTemplate = document.getElementById('card');

const mostShown = 300;
const retryAfter = 1000;   // ms
const opensWithin = 8000;  // ms: a proxy that holds an event stream back never lets it open
const hiddenFor = 10000;   // ms: a browser has few connections for all its tabs, so a hidden one gives its own back
const pollOnly = new URLSearchParams(location.search).get('transport') === 'poll' || !window.EventSource;

// ---- showing messages

// The same as hue_of in pages.cpp.
function hueOf(author) {
  return new TextEncoder().encode(author).reduce((sum, byte) => sum + byte, 0) % 8;
}

function makeCard(message) {
  const card = cardTemplate.content.firstElementChild.cloneNode(true);
  card.id = `m${message.id}`;
  card.dataset.id = message.id;
  const face = card.querySelector('.face');
  face.dataset.hue = hueOf(message.author);
  face.textContent = [...message.author][0] || '';
  card.querySelector('.author').textContent = message.author;
  card.querySelector('.text').textContent = message.text;
  card.querySelector('.when').href = `#m${message.id}`;
  card.querySelector('time').dateTime = message.created_at;
  card.classList.add('new');
  tellTime(card.querySelector('time'));
  return card;
}

// Newest first, each once, in whatever order they come.
function show(message) {
  if (document.getElementById(`m${message.id}`)) return;
  const older = [...list.children].find(card => Number(card.dataset.id) < message.id);
  list.insertBefore(makeCard(message), older || null);
  while (list.children.length > mostShown) list.lastElementChild.remove();
}

const clockTime = new Intl.DateTimeFormat(undefined, {hour: '2-digit', minute: '2-digit'});
const fullTime = new Intl.DateTimeFormat(undefined, {dateStyle: 'medium', timeStyle: 'short'});

function tellTime(time) {
  const when = new Date(time.dateTime);
  const minutes = Math.floor((Date.now() - when) / 60000);
  if (minutes < 1) time.textContent = 'just now';
  else if (minutes < 60) time.textContent = `${minutes} min ago`;
  else time.textContent = (when.toDateString() === new Date().toDateString() ? clockTime : fullTime).format(when);
  time.title = fullTime.format(when);
}

function tellTimes() {
  for (const time of list.querySelectorAll('time')) tellTime(time);
}

// ---- hearing of them

const words = {live: 'Live', polling: 'Live, by polling', waiting: 'Connecting again …', none: ''};

function tell(name) {
  state.dataset.state = name;
  state.textContent = words[name];
}

const pause = ms => new Promise(resolve => setTimeout(resolve, ms));

class Listener {
  constructor(last) {
    this.last = last;  // the newest message we have heard of
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

  hear(message) {
    this.last = Math.max(this.last, message.id);
    show(message);
  }

  stream(signal) {
    const source = new EventSource(`/events?after=${this.last}`);
    const tooLate = setTimeout(() => this.usePolling(), opensWithin);
    signal.addEventListener('abort', () => { clearTimeout(tooLate); source.close(); });
    source.onopen = () => {
      clearTimeout(tooLate);
      this.failures = 0;
      this.opened = true;
      tell('live');
    };
    source.onmessage = event => this.hear(JSON.parse(event.data));
    source.onerror = () => {
      tell('waiting');
      if (this.opened) clearTimeout(tooLate);
      if (!this.opened && ++this.failures >= 3) return this.usePolling();
      if (source.readyState === EventSource.CLOSED) this.restart();  // the browser has given up
    };
  }

  usePolling() {
    this.stop();
    this.polling = true;
    this.start();
  }

  async restart() {
    this.stop();
    await pause(retryAfter);
    if (!document.hidden) this.start();
  }

  async poll(signal) {
    while (!signal.aborted) {
      try {
        tell(this.failures ? 'waiting' : 'polling');
        // Asks whether the server is back without waiting for news.
        const wait = this.failures ? '&wait=0' : '';
        const response = await fetch(`/poll?after=${this.last}${wait}`, {signal, cache: 'no-store'});
        if (!response.ok) throw new Error(response.statusText);
        const news = await response.json();
        news.messages.forEach(message => this.hear(message));
        this.last = news.last;
        this.failures = 0;
      } catch {
        if (signal.aborted) return;
        this.failures++;
        await pause(retryAfter);
      }
    }
  }
}

function listen() {
  const listener = new Listener(Number(list.dataset.last));
  let hiding;
  listener.start();
  document.addEventListener('visibilitychange', () => {
    clearTimeout(hiding);
    if (document.hidden) hiding = setTimeout(() => listener.stop(), hiddenFor);
    else listener.start();
  });
  addEventListener('pagehide', () => listener.stop());
  addEventListener('pageshow', event => { if (event.persisted) listener.start(); });
}

// ---- writing one

function remembered(name) {
  try { return localStorage.getItem(name); } catch { return null; }
}

function remember(name, value) {
  try { localStorage.setItem(name, value); } catch { /* not allowed here: then not */ }
}

async function reasonOf(response) {
  const body = await response.json().catch(() => ({}));
  return body.detail || body.error || `The server answered ${response.status}.`;
}

async function send(event) {
  event.preventDefault();
  const button = form.querySelector('button');
  const {author, text} = form.elements;
  complaint.textContent = '';
  button.disabled = true;
  try {
    const response = await fetch('/messages', {
      method: 'POST',
      headers: {'Content-Type': 'application/json', 'Accept': 'application/json'},
      body: JSON.stringify({author: author.value, text: text.value}),
    });
    if (!response.ok) throw new Error(await reasonOf(response));
    const message = await response.json();
    if (list.dataset.live === 'yes') show(message);
    else location.assign('/');
    remember('author', author.value);
    text.value = '';
    count();
    text.focus();
  } catch (error) {
    complaint.textContent = error instanceof TypeError
      ? 'The server does not answer. Your message is still here; try again.' : error.message;
  } finally {
    button.disabled = false;
  }
}

function count() {
  const {text} = form.elements;
  const room = text.maxLength - text.value.length;
  left.textContent = room <= 100 ? `${room} left` : '';
}

form.addEventListener('submit', send);
form.elements.text.addEventListener('input', count);
form.addEventListener('keydown', event => {
  if (event.key === 'Enter' && (event.ctrlKey || event.metaKey)) form.requestSubmit();
});
if (!form.elements.author.value) form.elements.author.value = remembered('author') || '';
tellTimes();
setInterval(tellTimes, 30000);
if (list.dataset.live === 'yes') listen();
