// SPDX-License-Identifier: Apache-2.0
// Polls status.json once a second, and draws plots of the last two minutes and tables.
'use strict';

const seconds = 120, width = 300, height = 80;
const samples = [];
let hovered = null;  // an element of samples
let last = null;     // the previous status
const $ = id => document.getElementById(id);

// ---- numbers as text

const whole = n => Math.round(n).toLocaleString('en');
const short = n => n === null || n === undefined ? '–' : n >= 100 || n === 0 ? whole(n) : n >= 10 ? n.toFixed(1) : n.toFixed(2);
const time = ms => !ms ? '–' : ms < 1000 ? `${short(ms)} ms` : ms < 60e3 ? `${short(ms / 1000)} s` :
  ms < 3600e3 ? `${Math.floor(ms / 60e3)} min ${Math.floor(ms / 1000 % 60)} s` : ms < 48 * 3600e3 ? `${(ms / 3600e3).toFixed(1)} h` : `${(ms / 86400e3).toFixed(1)} d`;
const size = bytes => `${short(bytes / 2 ** 20)} MiB`;
const percent = part => part === null || part === undefined ? '–' : `${Math.round(part * 100)} %`;

function el(tag, properties = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(properties))
    name.startsWith('data-') ? element.setAttribute(name, value) : element[name] = value;
  element.append(...children);
  return element;
}

// ---- plots

// The `q` quantile of a latency histogram, interpolated within its bucket.
function quantile(counts, bounds, q) {
  let rank = q * counts.reduce((sum, n) => sum + n, 0);
  if (!rank) return null;
  for (let i = 0; i < counts.length; ++i) {
    if (counts[i] && rank <= counts[i]) {
      const low = i ? bounds[i - 1] : 0, high = i < bounds.length ? bounds[i] : low;
      return low + (high - low) * rank / counts[i];
    }
    rank -= counts[i];
  }
  return bounds.at(-1);
}

function sample(now, before) {
  const passed = Math.max(1, now.at_ms - before.at_ms);
  const earlier = new Map(before.workers.map(w => [w.name, w]));
  const counts = now.latency_counts.map((n, i) => Math.max(0, n - before.latency_counts[i]));
  const workers = {};
  for (const w of now.workers) {
    const b = earlier.get(w.name), same = b && b.pid === w.pid;
    workers[w.name] = {
      rate: same ? (w.requests - b.requests) * 1000 / passed : 0, busy: same ? (w.busy_ms - b.busy_ms) / passed * 100 : 0,
      flight: w.in_flight, delay: w.loop_delay_ms, memory: w.memory_bytes / 2 ** 20};
  }
  const all = Object.values(workers), sum = name => all.reduce((total, w) => total + w[name], 0);
  const [p50, p90, p99] = [0.5, 0.9, 0.99].map(q => quantile(counts, now.bounds_ms, q));
  return {at: now.at_ms, workers, p50, p90, p99, rate: Math.max(0, now.all.requests - before.all.requests) * 1000 / passed,
    busy: all.length ? sum('busy') / all.length : 0, flight: now.all.in_flight, delay: now.all.loop_delay_ms, memory: sum('memory')};
}

// min: lower bound of the top of the scale, so that noise stays small.
const plots = [
  {name: 'rate', title: 'Throughput', unit: 'requests/s', min: 10, text: whole},
  {name: 'p50', title: 'Latency', unit: 'ms', min: 1, text: short, lines: ['p50', 'p90', 'p99']},
  {name: 'flight', title: 'In flight', unit: 'requests', min: 4, text: whole},
  {name: 'delay', title: 'Loop delay', unit: 'ms', min: 5, text: short},
  {name: 'busy', title: 'Loop utilisation', unit: '%', min: 100, text: whole},
  {name: 'memory', title: 'Memory', unit: 'MiB resident', min: 16, text: short},
];

for (const plot of plots) {
  plot.svg = document.createElementNS('http://www.w3.org/2000/svg', 'svg');
  plot.svg.setAttribute('viewBox', `0 0 ${width} ${height}`);
  plot.svg.setAttribute('preserveAspectRatio', 'none');
  plot.svg.setAttribute('role', 'img');
  plot.svg.setAttribute('aria-label', `${plot.title} over the last two minutes`);
  plot.svg.onpointermove = event => {
    const box = plot.svg.getBoundingClientRect();
    const back = Math.round((1 - (event.clientX - box.left) / box.width) * (seconds - 1));
    hovered = samples[samples.length - 1 - back] ?? null;
    draw();
  };
  plot.svg.onpointerleave = () => { hovered = null; draw(); };
  plot.output = el('output', {textContent: '–'});
  plot.legend = el('span', {className: 'legend'}, ...(plot.lines ?? []).map(name => el('span', {className: name, textContent: name})));
  plot.top = el('span');
  plot.ago = el('span', {textContent: '2 min'});
  $('plots').append(el('article', {className: 'plot', 'data-plot': plot.name}, el('div', {className: 'title'}, el('h3', {textContent: plot.title}), plot.legend),
    el('div', {className: 'now'}, plot.output, el('span', {className: 'unit', textContent: plot.unit})),
    plot.svg, el('div', {className: 'axis'}, plot.top, plot.ago)));
}

function path(className, d) {
  const element = document.createElementNS('http://www.w3.org/2000/svg', 'path');
  element.setAttribute('class', className);
  element.setAttribute('d', d);
  return element;
}

const x = n => width - (samples.length - 1 - n) * width / (seconds - 1);

// The path of a line, with gaps where values are missing.
function line(values, y) {
  let d = '';
  values.forEach((value, n) => {
    if (value === null || value === undefined) return;
    const before = values[n - 1];
    d += `${before === null || before === undefined ? `M${x(n).toFixed(1)} ${y(value)}h0.01` : ''}L${x(n).toFixed(1)} ${y(value)}`;
  });
  return d;
}

function draw() {
  const shown = hovered && samples.includes(hovered) ? hovered : samples.at(-1);
  for (const plot of plots) {
    const names = plot.lines ?? [plot.name];
    const highest = Math.max(...samples.flatMap(s => names.map(name => s[name] ?? 0)), 0);
    const top = Math.max(highest, plot.min);
    const y = value => (height - 1 - value / top * (height - 6)).toFixed(1);
    const drawn = [path('grid', `M0 ${y(0)}H${width}M0 ${y(top)}H${width}`)];
    const main = line(samples.map(s => s[plot.name]), y);
    if (!plot.lines && main) drawn.push(path('area', `${main}L${width} ${y(0)}L${x(0).toFixed(1)} ${y(0)}Z`));
    const workers = new Set(plot.lines ? [] : samples.flatMap(s => Object.keys(s.workers)));
    if (workers.size > 1)
      for (const name of workers) drawn.push(path('worker', line(samples.map(s => s.workers[name]?.[plot.name]), y)));
    for (const name of names) drawn.push(path(`line ${plot.lines ? name : ''}`, line(samples.map(s => s[name]), y)));
    if (shown !== samples.at(-1)) drawn.push(path('cursor', `M${x(samples.indexOf(shown)).toFixed(1)} 0V${height}`));
    plot.svg.replaceChildren(...drawn);
    plot.output.textContent = plot.lines ? short(shown[plot.name]) : plot.text(shown[plot.name]);
    plot.top.textContent = `max ${plot.text(top)}`;
    plot.ago.textContent = shown === samples.at(-1) ? '2 min' : `${Math.round((samples.at(-1).at - shown.at) / 1000)} s ago`;
    if (plot.lines) plot.legend.replaceChildren(...names.map(name => el('span', {className: name, textContent: `${name} ${short(shown[name])}`})));
  }
}

// ---- tables

// A column: [title, function from row to text, options]; options: text, wide, content (row to elements), bad (row to bool).
function fill(id, columns, rows, empty, note = () => '') {
  const table = $(id), body = table.tBodies[0];
  if (!table.tHead.rows.length)
    table.tHead.append(el('tr', {}, ...columns.map(([title, , options]) => el('th', {scope: 'col', textContent: title, className: options?.text ? 'text' : ''}))));
  const newRows = rows.flatMap(row => {
    const cells = columns.map(([title, text, options = {}]) => {
      const cell = el('td', {'data-label': title, className: [options.text && 'text', options.wide && 'wide', options.bad?.(row) && 'bad'].filter(Boolean).join(' ')});
      cell.append(...(options.content ? options.content(row) : [text(row)]));
      return cell;
    });
    const advice = note(row);
    return [el('tr', {}, ...cells), ...(advice ? [el('tr', {className: 'advice'}, el('td', {colSpan: columns.length, textContent: advice}))] : [])];
  });
  if (!newRows.length) newRows.push(el('tr', {}, el('td', {className: 'empty', colSpan: columns.length, textContent: empty})));
  // Replaces changed rows only, to keep a text selection.
  newRows.forEach((row, n) => {
    const old = body.rows[n];
    if (!old) body.append(row);
    else if (!old.isEqualNode(row)) old.replaceWith(row);
  });
  while (body.rows.length > newRows.length) body.lastElementChild.remove();
}

// A GET view also handles HEAD.
const route = r => [...(r.methods ? [el('span', {className: 'methods', textContent: r.methods.replace('GET, HEAD', 'GET')})] : []), el('code', {textContent: r.pattern || 'no view'})];
const kind = r => [r.kind ? el('span', {className: 'kind', textContent: r.kind, 'data-kind': r.kind}) : '–'];
const stats = r => Object.entries(r.stats).map(([name, value]) => el('span', {className: 'stat'},
  `${name.replace(/_ms$/, '')} `, el('b', {textContent: name.endsWith('_ms') ? time(value) : name === 'bytes' ? size(value) : whole(value)})));
const state = w => [el('span', {className: 'pill', textContent: w.state, 'data-state': w.state})];
const key = r => `${r.methods} ${r.pattern} ${r.kind}`;

function tables(now, before) {
  const passed = Math.max(1, now.at_ms - before.at_ms);
  const earlier = new Map(before.views.map(v => [key(v), v.requests]));
  const views = now.views.filter(v => v.requests || v.running).map(v => ({...v, rate: Math.max(0, v.requests - (earlier.get(key(v)) ?? 0)) * 1000 / passed}));
  const advised = views.filter(v => v.advice).length, unused = now.views.filter(v => v.pattern && !v.requests && !v.running).length;
  $('views-note').textContent = [advised && `${advised} with advice`, unused && `${unused} without requests`].filter(Boolean).join(', ');
  fill('views', [
    ['Route', null, {text: true, wide: true, content: route}], ['Kind', null, {text: true, content: kind}],
    ['Requests', v => whole(v.requests)], ['Per second', v => short(v.rate)],
    ['Failed', v => whole(v.by_class[5] + v.by_class[0]), {bad: v => v.by_class[5] + v.by_class[0] > 0}],
    ['p50', v => time(v.p50_ms)], ['p99', v => time(v.p99_ms)], ['Mean', v => time(v.wall_ms)], ['Loop', v => time(v.loop_ms)],
    ['Queue', v => time(v.queue_ms)], ['Thread', v => time(v.thread_ms)], ['CPU', v => percent(v.cpu_share)], ['Running', v => whole(v.running)],
  ], views, 'No requests yet.', v => v.advice && `${v.pattern} ${v.advice}.`);

  const listed = now.running.slice(0, 50), more = now.not_listed + now.running.length - listed.length;
  $('running-note').textContent = more ? `oldest ${listed.length}; ${whole(more)} more not listed` : 'waiting or on a thread, oldest first';
  fill('running', [
    ['Route', null, {text: true, wide: true, content: route}], ['Kind', null, {text: true, content: kind}], ['Worker', r => r.worker],
    ['State', r => r.state, {text: true}], ['In state', r => time(r.in_state_ms)], ['Age', r => time(r.age_ms)],
    ['On the loop', r => time(r.loop_ms)], ['On a thread', r => time(r.thread_ms)],
  ], listed, 'No running requests.');

  $('resources-section').hidden = !now.resources.length;
  fill('resources', [
    ['Resource', r => r.group, {text: true}], ['Name', null, {text: true, wide: true, content: r => [el('code', {textContent: r.name || 'all'})]}],
    ['Stats', null, {text: true, wide: true, content: stats}],
  ], now.resources, '');

  const newest = samples.at(-1)?.workers ?? {};
  $('workers-note').textContent = [`${whole(now.all.starts)} started`, now.all.crashes && `${whole(now.all.crashes)} crashed`,
    now.all.log_lines_lost && `${whole(now.all.log_lines_lost)} log lines lost`].filter(Boolean).join(', ');
  fill('workers', [
    ['Worker', w => w.name, {text: true}], ['State', null, {text: true, content: state}], ['PID', w => w.pid], ['Age', w => time(w.age_ms)],
    ['Requests', w => whole(w.requests)], ['Per second', w => short(newest[w.name]?.rate ?? 0)], ['In flight', w => whole(w.in_flight)],
    ['Connections', w => whole(w.connections)], ['Loop busy', w => `${whole(newest[w.name]?.busy ?? 0)} %`], ['Loop delay', w => time(w.loop_delay_ms), {bad: w => w.loop_delay_ms > 1000}],
    ['Stalls', w => whole(w.stalls)], ['Threads', w => `${w.blocking.busy} / ${w.blocking.limit}`], ['Compute', w => `${w.compute.busy} / ${w.compute.limit}`], ['Memory', w => size(w.memory_bytes)],
  ], now.workers, 'No workers.');
  computePools(now, before);
}

function computePools(now, before) {
  $('isolated').hidden = !now.compute_pools.length;
  if (!now.compute_pools.length) return;
  const passed = Math.max(1, now.at_ms - before.at_ms);
  const earlier = new Map(before.compute_pools.map(c => [c.name, c.jobs.done]));
  fill('compute-pools', [
    ['Name', null, {text: true, content: c => [el('code', {textContent: c.name})]}], ['Busy', c => `${c.busy} / ${c.processes.length}`], ['Waiting', c => whole(c.waiting)],
    ['Done', c => whole(c.jobs.done)], ['Per second', c => short(Math.max(0, c.jobs.done - (earlier.get(c.name) ?? 0)) * 1000 / passed)],
    ['Lost', c => whole(c.jobs.lost), {bad: c => c.jobs.lost > 0}], ['Timed out', c => whole(c.jobs.timed_out), {bad: c => c.jobs.timed_out > 0}],
    ['Refused', c => whole(c.jobs.refused), {bad: c => c.jobs.refused > 0}], ['Cancelled', c => whole(c.jobs.cancelled)],
    ['Queue', c => time(c.queue.mean_ms)], ['Run', c => time(c.run.mean_ms)], ['Run p99', c => time(c.run.p99_ms)], ['CPU', c => time(c.cpu.mean_ms)],
    ['Crashes', c => whole(c.crashes), {bad: c => c.crashes > 0}], ['Memory', c => size(c.memory_bytes)],
  ], now.compute_pools, '');
  fill('processes', [
    ['Process', null, {text: true, content: p => [el('code', {textContent: `${p.pool} ${p.name}`})]}], ['State', null, {text: true, content: state}], ['PID', p => p.pid],
    ['Age', p => time(p.age_ms)], ['Busy for', p => time(p.busy_ms)], ['Jobs', p => whole(p.jobs)], ['Memory', p => size(p.memory_bytes)],
  ], now.compute_pools.flatMap(c => c.processes.map(p => ({...p, pool: c.name}))), 'No compute processes.');
}

// ---- polling and commands

const rank = ['blocked', 'serving', 'starting', 'draining'];
function showState(name, text) {
  if ($('state').dataset.state !== name) $('state').dataset.state = name;
  if ($('state').textContent !== text) $('state').textContent = text;
}

function update(now) {
  // After a restart the counters start from zero.
  if (last && now.all.requests < last.all.requests) samples.length = 0;
  if (last) samples.push(sample(now, last));
  if (samples.length > seconds) samples.shift();
  tables(now, last ?? now);
  if (samples.length) draw();
  const worst = rank.find(name => now.workers.some(w => w.state === name)) ?? 'unreachable';
  const many = now.workers.filter(w => w.state === worst).length;
  showState(worst, worst === 'unreachable' ? 'No serving workers' : now.workers.length === 1 ? worst : `${many} ${worst}`);
  const active = now.workers.filter(w => w.state !== 'draining').length;
  $('count').textContent = `${active} worker${active === 1 ? '' : 's'}`;
  $('version').textContent = now.version;
  last = now;
}

async function poll() {
  if (document.hidden) return;
  try {
    const response = await fetch('status.json', {signal: AbortSignal.timeout(5000)});
    update(await response.json());
  } catch {
    showState('unreachable', 'Server not responding');
  }
}

async function send(command, text) {
  let message = text, failed = false;
  try {
    const response = await fetch(command, {method: 'POST', signal: AbortSignal.timeout(5000)});
    failed = !response.ok;
    message = (await response.text()).trim();
  } catch {
    failed = true;
    message = 'The server does not respond.';
  }
  Object.assign($('message'), {textContent: message, hidden: false, className: failed ? 'failed' : ''});
  setTimeout(() => { if ($('message').textContent === message) $('message').hidden = true; }, 6000);
}

const targetWorkers = change => (last?.workers.filter(w => w.state !== 'draining').length ?? 1) + change;
$('more').onclick = () => send(`scale?workers=${targetWorkers(1)}`);
$('fewer').onclick = () => send(`scale?workers=${Math.max(1, targetWorkers(-1))}`);
$('reload').onclick = () => send('reload');
// Needs a second click as confirmation, as it stops the server.
$('drain').onclick = ({target}) => {
  if (target.classList.toggle('confirm')) {
    target.textContent = 'Stop the server?';
    setTimeout(() => { target.classList.remove('confirm'); target.textContent = 'Drain'; }, 4000);
  } else {
    target.textContent = 'Drain';
    send('drain');
  }
};

setInterval(poll, 1000);
document.addEventListener('visibilitychange', poll);
poll();
