// SPDX-License-Identifier: Apache-2.0
'use strict';

const calls = 100, ms = 250;
const width = 600, height = 200;
const results = {};  // lane -> [milliseconds of each call]
let running = null;  // the running lane; one at a time, so that they do not disturb each other

// The lines of a response as they arrive.
async function* linesOf(response) {
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  let partial = '';
  for (let chunk = await reader.read(); !chunk.done; chunk = await reader.read()) {
    const lines = (partial + chunk.value).split('\n');
    partial = lines.pop();
    yield* lines;
  }
}

async function open(url) {
  const response = await fetch(url, {cache: 'no-store'});
  if (!response.ok) throw new Error(response.status === 503 ? 'The server is busy; try again.' : `The server returned ${response.status}.`);
  return response;
}

// ---- the race

function rectangle(attributes) {
  const element = document.createElementNS('http://www.w3.org/2000/svg', 'rect');
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  return element;
}

// A bar for each call, from the start to its end, in the order in which they ended. All lanes share one scale.
function bar(name, n, time, longest) {
  return rectangle({class: name, x: 0, y: n * height / calls, width: time / longest * width, height: height / calls * 0.7});
}

function draw(now = 0) {
  const longest = Math.max(ms * 1.2, now, ...Object.values(results).flat());
  for (const [lane, ends] of Object.entries(results)) {
    const bars = ends.map((end, n) => bar('ended', n, end, longest));
    if (lane === running) for (let n = ends.length; n < calls; ++n) bars.push(bar('open', n, now, longest));
    document.querySelector(`[data-race=${lane}] svg`).replaceChildren(...bars);
  }
}

async function race(section) {
  const lane = section.dataset.race;
  const outcome = section.querySelector('.outcome');
  const ends = results[lane] = [];
  const start = performance.now();
  running = lane;
  outcome.textContent = 'Running …';
  const frame = () => { if (running) { draw(performance.now() - start); requestAnimationFrame(frame); } };
  requestAnimationFrame(frame);
  try {
    for await (const line of linesOf(await open(`/race?kind=${lane}&calls=${calls}&ms=${ms}`))) ends.push(JSON.parse(line).ms);
    outcome.textContent = ends.length < calls ? 'The connection was lost.'
      : `${calls} calls of ${ms} ms took ${(ends.at(-1) / 1000).toFixed(2)} s in total.`;
  } catch (error) {
    outcome.textContent = error instanceof TypeError ? 'The server is not responding.' : error.message;
  } finally {
    running = null;
    draw();
  }
}

// ---- the stream

async function drip(section) {
  const out = section.querySelector('.stream');
  out.textContent = '';
  try {
    for await (const line of linesOf(await open('/drip'))) out.textContent += `${line}\n`;
  } catch (error) {
    out.textContent += error instanceof TypeError ? 'The server is not responding.' : error.message;
  }
}

// ---- buttons

// The buttons of a group are disabled while one of their actions runs.
function onButtons(sections, action) {
  const buttons = sections.map(section => section.querySelector('button'));
  const setDisabled = disabled => buttons.forEach(button => { button.disabled = disabled; });
  sections.forEach((section, n) => {
    buttons[n].hidden = false;
    buttons[n].addEventListener('click', async () => {
      setDisabled(true);
      await action(section);
      setDisabled(false);
    });
  });
}

onButtons([...document.querySelectorAll('[data-race]')], race);
onButtons([document.getElementById('drip')], drip);
