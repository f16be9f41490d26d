// SPDX-License-Identifier: Apache-2.0
// One plot for each figure, drawn anew with each event.
'use strict';

const seconds = 120;
const width = 240, height = 60;
const state = document.getElementById('state');
const samples = [];

const whole = value => Math.round(value).toLocaleString();
const rate = (now, before) => before ? (now.requests - before.requests) * 1000 / Math.max(1, now.at_ms - before.at_ms) : null;

// least: what the plot's height stands for at least, so that noise stays small.
const stats = {
  requests: {of: rate, text: whole, unit: 'a second', least: 10},
  waiting: {of: now => now.waiting, text: whole, unit: 'requests under way', least: 4},
  threads: {of: now => now.threads, text: whole, unit: 'of the process', least: 4},
  delay: {of: now => now.loop_delay_ms, text: value => value.toFixed(2), unit: 'ms', least: 1},
  memory: {of: now => now.memory_bytes / 2 ** 20, text: value => value.toFixed(1), unit: 'MiB resident', least: 4},
  connections: {of: now => now.connections, text: whole, unit: 'open', least: 4},
};

function shape(name, d) {
  const path = document.createElementNS('http://www.w3.org/2000/svg', 'path');
  path.setAttribute('class', name);
  path.setAttribute('d', d);
  return path;
}

// The newest at the right edge, a second between two.
function draw(svg, values, top) {
  const step = width / (seconds - 1);
  const points = values.map((value, n) => {
    const x = width - (values.length - 1 - n) * step;
    const y = height - 2 - value / top * (height - 6);
    return `${x.toFixed(1)} ${y.toFixed(1)}`;
  });
  if (points.length === 1) points.unshift(`${width - step} ${points[0].split(' ')[1]}`);
  const line = `M${points.join('L')}`;
  const first = points[0].split(' ')[0];
  svg.replaceChildren(shape('area', `${line}L${width} ${height}L${first} ${height}Z`), shape('line', line));
}

function update(section) {
  const figure = stats[section.dataset.stat];
  const values = samples.map((sample, n) => figure.of(sample, samples[n - 1])).filter(value => value !== null);
  if (!values.length) return;
  const highest = Math.max(...values);
  section.querySelector('output').textContent = figure.text(values.at(-1));
  section.querySelector('.unit').textContent = figure.unit;
  section.querySelector('.range').textContent = `highest ${figure.text(highest)}`;
  draw(section.querySelector('svg'), values, Math.max(highest, figure.least));
}

function take(sample) {
  // After a restart everything counts from the beginning.
  if (samples.length && sample.requests < samples.at(-1).requests) samples.length = 0;
  samples.push(sample);
  if (samples.length > seconds) samples.shift();
  for (const section of document.querySelectorAll('[data-stat]')) update(section);
}

function tell(name, text) {
  state.dataset.state = name;
  state.textContent = text;
}

let source = null;

function listen() {
  if (source || document.hidden) return;
  source = new EventSource('/stats/events');
  source.onopen = () => tell('live', 'Live');
  source.onmessage = event => take(JSON.parse(event.data));
  source.onerror = () => {
    tell('waiting', 'Connecting again …');
    if (source.readyState !== EventSource.CLOSED) return;
    close();
    setTimeout(listen, 1000);
  };
}

function close() {
  source?.close();
  source = null;
}

document.addEventListener('visibilitychange', () => document.hidden ? close() : listen());
addEventListener('pagehide', close);
addEventListener('pageshow', listen);
listen();
