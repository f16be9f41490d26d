// SPDX-License-Identifier: Apache-2.0
// One plot for each counter, redrawn with each event.
'use strict';

const seconds = 120;
const width = 240, height = 60;
const state = document.getElementById('state');
const samples = [];

const integer = value => Math.round(value).toLocaleString();
const rate = (now, before) => before ? (now.requests - before.requests) * 1000 / Math.max(1, now.time_ms - before.time_ms) : null;

// minTop: the smallest value at the top of the plot, so that noise stays small.
const stats = {
  requests: {value: rate, format: integer, unit: 'per second', minTop: 10},
  waiting: {value: now => now.waiting, format: integer, unit: 'requests in flight', minTop: 4},
  threads: {value: now => now.threads, format: integer, unit: 'in the process', minTop: 4},
  delay: {value: now => now.loop_delay_ms, format: value => value.toFixed(2), unit: 'ms', minTop: 1},
  memory: {value: now => now.memory_bytes / 2 ** 20, format: value => value.toFixed(1), unit: 'MiB resident', minTop: 4},
  connections: {value: now => now.connections, format: integer, unit: 'open', minTop: 4},
};

function shape(name, d) {
  const path = document.createElementNS('http://www.w3.org/2000/svg', 'path');
  path.setAttribute('class', name);
  path.setAttribute('d', d);
  return path;
}

// The newest value at the right edge; one step per second.
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
  const stat = stats[section.dataset.stat];
  const values = samples.map((sample, n) => stat.value(sample, samples[n - 1])).filter(value => value !== null);
  if (!values.length) return;
  const peak = Math.max(...values);
  section.querySelector('output').textContent = stat.format(values.at(-1));
  section.querySelector('.unit').textContent = stat.unit;
  section.querySelector('.range').textContent = `peak ${stat.format(peak)}`;
  draw(section.querySelector('svg'), values, Math.max(peak, stat.minTop));
}

function addSample(sample) {
  // After a restart the counters start from zero.
  if (samples.length && sample.requests < samples.at(-1).requests) samples.length = 0;
  samples.push(sample);
  if (samples.length > seconds) samples.shift();
  for (const section of document.querySelectorAll('[data-stat]')) update(section);
}

function setState(name, text) {
  state.dataset.state = name;
  state.textContent = text;
}

let source = null;

function listen() {
  if (source || document.hidden) return;
  source = new EventSource('/stats/events');
  source.onopen = () => setState('live', 'Live');
  source.onmessage = event => addSample(JSON.parse(event.data));
  source.onerror = () => {
    setState('waiting', 'Reconnecting …');
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
