// SPDX-License-Identifier: Apache-2.0
// Asks for status.json once a second and draws what came: plots of the last two minutes, and tables.
'use strict';

const seconds = 120, width = 300, height = 80;
const samples = [];
let pointed = null;  // a place in samples
let last = null;     // the status before the newest
const $ = id => document.getElementById(id);

// ---- numbers as text

const whole = n => Math.round(n).toLocaleString('en');
const short = n => n === null || n === undefined ? '–' : n >= 100 || n === 0 ? whole(n) : n >= 10 ? n.toFixed(1) : n.toFixed(2);
const time = ms => !ms ? '–' : ms < 1000 ? `${short(ms)} ms` : ms < 60e3 ? `${short(ms / 1000)} s` :
  ms < 3600e3 ? `${Math.floor(ms / 60e3)} min ${Math.floor(ms / 1000 % 60)} s` : ms < 48 * 3600e3 ? `${(ms / 3600e3).toFixed(1)} h` : `${(ms / 86400e3).toFixed(1)} d`;
const size = bytes => `${short(bytes / 2 ** 20)} MiB`;
const percent = part => part === null || part === undefined ? '–' : `${Math.round(part * 100)} %`;

function el(tag, properties = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(properties))
    name.startsWith('data-') ? made.setAttribute(name, value) : made[name] = value;
  made.append(...children);
  return made;
}

// ---- what is plotted

// The latency that the share `part` of the requests between two looks did not exceed.
function quantile(counts, bounds, part) {
  let wanted = part * counts.reduce((sum, n) => sum + n, 0);
  if (!wanted) return null;
  for (let i = 0; i < counts.length; ++i) {
    if (counts[i] && wanted <= counts[i]) {
      const low = i ? bounds[i - 1] : 0, high = i < bounds.length ? bounds[i] : low;
      return low + (high - low) * wanted / counts[i];
    }
    wanted -= counts[i];
  }
  return bounds.at(-1);
}

function sample(now, before) {
  const passed = Math.max(1, now.at_ms - before.at_ms);
  const earlier = new Map(before.workers.map(w => [w.name, w]));
  const counts = now.latency_counts.map((n, i) => Math.max(0, n - before.latency_counts[i]));
  const workers = {};
  for (const w of now.workers) {
    const b = earlier.get(w.name), same = b && b.process === w.process;
    workers[w.name] = {
      rate: same ? (w.requests - b.requests) * 1000 / passed : 0, busy: same ? (w.busy_ms - b.busy_ms) / passed * 100 : 0,
      flight: w.in_flight, delay: w.loop_delay_ms, memory: w.memory_bytes / 2 ** 20};
  }
  const all = Object.values(workers), sum = name => all.reduce((total, w) => total + w[name], 0);
  const [p50, p90, p99] = [0.5, 0.9, 0.99].map(part => quantile(counts, now.bounds_ms, part));
  return {at: now.at_ms, workers, p50, p90, p99, rate: Math.max(0, now.all.requests - before.all.requests) * 1000 / passed,
    busy: all.length ? sum('busy') / all.length : 0, flight: now.all.in_flight, delay: now.all.loop_delay_ms, memory: sum('memory')};
}

// least: what the height stands for at least, so that noise stays small.
const plots = [
  {name: 'rate', title: 'Throughput', unit: 'requests a second', least: 10, text: whole},
  {name: 'p50', title: 'Latency', unit: 'ms', least: 1, text: short, lines: ['p50', 'p90', 'p99']},
  {name: 'flight', title: 'In flight', unit: 'requests', least: 4, text: whole},
  {name: 'delay', title: 'Loop delay', unit: 'ms', least: 5, text: short},
  {name: 'busy', title: 'Loops busy', unit: '%', least: 100, text: whole},
  {name: 'memory', title: 'Memory', unit: 'MiB resident', least: 16, text: short},
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
    pointed = samples[samples.length - 1 - back] ?? null;
    draw();
  };
  plot.svg.onpointerleave = () => { pointed = null; draw(); };
  plot.output = el('output', {textContent: '–'});
  plot.legend = el('span', {className: 'legend'}, ...(plot.lines ?? []).map(name => el('span', {className: name, textContent: name})));
  plot.top = el('span');
  plot.ago = el('span', {textContent: '2 min'});
  $('plots').append(el('article', {className: 'plot', 'data-plot': plot.name}, el('div', {className: 'title'}, el('h3', {textContent: plot.title}), plot.legend),
    el('div', {className: 'now'}, plot.output, el('span', {className: 'unit', textContent: plot.unit})),
    plot.svg, el('div', {className: 'axis'}, plot.top, plot.ago)));
}

function path(className, d) {
  const made = document.createElementNS('http://www.w3.org/2000/svg', 'path');
  made.setAttribute('class', className);
  made.setAttribute('d', d);
  return made;
}

const x = n => width - (samples.length - 1 - n) * width / (seconds - 1);

// Pieces of a line: where nothing was measured there is none.
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
  const shown = pointed && samples.includes(pointed) ? pointed : samples.at(-1);
  for (const plot of plots) {
    const names = plot.lines ?? [plot.name];
    const highest = Math.max(...samples.flatMap(s => names.map(name => s[name] ?? 0)), 0);
    const top = Math.max(highest, plot.least);
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
    plot.top.textContent = `to ${plot.text(top)}`;
    plot.ago.textContent = shown === samples.at(-1) ? '2 min' : `${Math.round((samples.at(-1).at - shown.at) / 1000)} s ago`;
    if (plot.lines) plot.legend.replaceChildren(...names.map(name => el('span', {className: name, textContent: `${name} ${short(shown[name])}`})));
  }
}

// ---- tables

// A column: [title, text of a row, more]; more: text, wide, content (an element instead of a text), bad (of a row).
function fill(id, columns, rows, empty, note = () => '') {
  const table = $(id), body = table.tBodies[0];
  if (!table.tHead.rows.length)
    table.tHead.append(el('tr', {}, ...columns.map(([title, , more]) => el('th', {scope: 'col', textContent: title, className: more?.text ? 'text' : ''}))));
  const made = rows.flatMap(row => {
    const cells = columns.map(([title, text, more = {}]) => {
      const cell = el('td', {'data-label': title, className: [more.text && 'text', more.wide && 'wide', more.bad?.(row) && 'bad'].filter(Boolean).join(' ')});
      cell.append(...(more.content ? more.content(row) : [text(row)]));
      return cell;
    });
    const said = note(row);
    return [el('tr', {}, ...cells), ...(said ? [el('tr', {className: 'advice'}, el('td', {colSpan: columns.length, textContent: said}))] : [])];
  });
  if (!made.length) made.push(el('tr', {}, el('td', {className: 'empty', colSpan: columns.length, textContent: empty})));
  // Only what changed is touched, so that a selection stays.
  made.forEach((row, n) => {
    const old = body.rows[n];
    if (!old) body.append(row);
    else if (!old.isEqualNode(row)) old.replaceWith(row);
  });
  while (body.rows.length > made.length) body.lastElementChild.remove();
}

// HEAD is answered by the view for GET.
const route = r => [...(r.methods ? [el('span', {className: 'methods', textContent: r.methods.replace('GET, HEAD', 'GET')})] : []), el('code', {textContent: r.pattern || 'no view'})];
const kind = r => [r.kind ? el('span', {className: 'kind', textContent: r.kind, 'data-kind': r.kind}) : '–'];
const figures = r => Object.entries(r.figures).map(([name, value]) => el('span', {className: 'figure'},
  `${name.replace(/_ms$/, '')} `, el('b', {textContent: name.endsWith('_ms') ? time(value) : name === 'bytes' ? size(value) : whole(value)})));
const state = w => [el('span', {className: 'pill', textContent: w.state, 'data-state': w.state})];
const key = r => `${r.methods} ${r.pattern} ${r.kind}`;

function tables(now, before) {
  const passed = Math.max(1, now.at_ms - before.at_ms);
  const earlier = new Map(before.views.map(v => [key(v), v.requests]));
  const views = now.views.filter(v => v.requests || v.running).map(v => ({...v, rate: Math.max(0, v.requests - (earlier.get(key(v)) ?? 0)) * 1000 / passed}));
  const wrong = views.filter(v => v.advice).length, unused = now.views.filter(v => v.pattern && !v.requests && !v.running).length;
  $('views-note').textContent = [wrong && `${wrong} with advice`, unused && `${unused} more have not been asked for`].filter(Boolean).join(', ');
  fill('views', [
    ['Route', null, {text: true, wide: true, content: route}], ['Kind', null, {text: true, content: kind}],
    ['Requests', v => whole(v.requests)], ['a second', v => short(v.rate)],
    ['Failed', v => whole(v.by_class[5] + v.by_class[0]), {bad: v => v.by_class[5] + v.by_class[0] > 0}],
    ['p50', v => time(v.p50_ms)], ['p99', v => time(v.p99_ms)], ['Mean', v => time(v.wall_ms)], ['Loop', v => time(v.loop_ms)],
    ['Queue', v => time(v.queue_ms)], ['Thread', v => time(v.thread_ms)], ['CPU', v => percent(v.cpu_share)], ['Running', v => whole(v.running)],
  ], views, 'No view has been asked for.', v => v.advice && `${v.pattern} ${v.advice}.`);

  const listed = now.running.slice(0, 50), more = now.not_listed + now.running.length - listed.length;
  $('running-note').textContent = more ? `the ${listed.length} oldest, ${whole(more)} more are not listed` : 'that were not answered at once, the oldest first';
  fill('running', [
    ['Route', null, {text: true, wide: true, content: route}], ['Kind', null, {text: true, content: kind}], ['Worker', r => r.worker],
    ['Where', r => r.where, {text: true}], ['For', r => time(r.here_ms)], ['Age', r => time(r.age_ms)],
    ['On the loop', r => time(r.loop_ms)], ['On a thread', r => time(r.thread_ms)],
  ], listed, 'No request waits.');

  $('used').hidden = !now.resources.length;
  fill('resources', [
    ['What', r => r.group, {text: true}], ['Which', null, {text: true, wide: true, content: r => [el('code', {textContent: r.of || 'all'})]}],
    ['Figures', null, {text: true, wide: true, content: figures}],
  ], now.resources, '');

  const newest = samples.at(-1)?.workers ?? {};
  $('workers-note').textContent = [`${whole(now.all.starts)} started`, now.all.crashes && `${whole(now.all.crashes)} did not end in good order`,
    now.all.log_lines_lost && `${whole(now.all.log_lines_lost)} log lines lost`].filter(Boolean).join(', ');
  fill('workers', [
    ['Worker', w => w.name, {text: true}], ['State', null, {text: true, content: state}], ['Process', w => w.process], ['Age', w => time(w.age_ms)],
    ['Requests', w => whole(w.requests)], ['a second', w => short(newest[w.name]?.rate ?? 0)], ['In flight', w => whole(w.in_flight)],
    ['Connections', w => whole(w.connections)], ['Loop busy', w => `${whole(newest[w.name]?.busy ?? 0)} %`], ['Loop delay', w => time(w.loop_delay_ms), {bad: w => w.loop_delay_ms > 1000}],
    ['Stalls', w => whole(w.stalls)], ['Threads', w => `${w.blocking.busy} / ${w.blocking.limit}`], ['Compute', w => `${w.compute.busy} / ${w.compute.limit}`], ['Memory', w => size(w.memory_bytes)],
  ], now.workers, 'No worker is there.');
  computers(now, before);
}

function computers(now, before) {
  $('isolated').hidden = !now.computers.length;
  if (!now.computers.length) return;
  const passed = Math.max(1, now.at_ms - before.at_ms);
  const earlier = new Map(before.computers.map(c => [c.name, c.jobs.done]));
  fill('computers', [
    ['Name', null, {text: true, content: c => [el('code', {textContent: c.name})]}], ['Busy', c => `${c.busy} / ${c.processes.length}`], ['Waiting', c => whole(c.waiting)],
    ['Done', c => whole(c.jobs.done)], ['a second', c => short(Math.max(0, c.jobs.done - (earlier.get(c.name) ?? 0)) * 1000 / passed)],
    ['Lost', c => whole(c.jobs.lost), {bad: c => c.jobs.lost > 0}], ['Late', c => whole(c.jobs.late), {bad: c => c.jobs.late > 0}],
    ['Refused', c => whole(c.jobs.refused), {bad: c => c.jobs.refused > 0}], ['Cancelled', c => whole(c.jobs.cancelled)],
    ['Queue', c => time(c.queue.mean_ms)], ['Run', c => time(c.run.mean_ms)], ['Run p99', c => time(c.run.p99_ms)], ['CPU', c => time(c.cpu.mean_ms)],
    ['Crashes', c => whole(c.crashes), {bad: c => c.crashes > 0}], ['Memory', c => size(c.memory_bytes)],
  ], now.computers, '');
  fill('processes', [
    ['Process of', null, {text: true, content: p => [el('code', {textContent: `${p.of} ${p.name}`})]}], ['State', null, {text: true, content: state}], ['Process', p => p.process],
    ['Age', p => time(p.age_ms)], ['Busy for', p => time(p.busy_ms)], ['Jobs', p => whole(p.jobs)], ['Memory', p => size(p.memory_bytes)],
  ], now.computers.flatMap(c => c.processes.map(p => ({...p, of: c.name}))), 'No compute process is there.');
}

// ---- asking

const rank = ['blocked', 'serving', 'starting', 'draining'];
function tell(name, text) {
  if ($('state').dataset.state !== name) $('state').dataset.state = name;
  if ($('state').textContent !== text) $('state').textContent = text;
}

function take(now) {
  // After a restart everything counts from the beginning.
  if (last && now.all.requests < last.all.requests) samples.length = 0;
  if (last) samples.push(sample(now, last));
  if (samples.length > seconds) samples.shift();
  tables(now, last ?? now);
  if (samples.length) draw();
  const worst = rank.find(name => now.workers.some(w => w.state === name)) ?? 'away';
  const many = now.workers.filter(w => w.state === worst).length;
  tell(worst, worst === 'away' ? 'No worker serves' : now.workers.length === 1 ? worst : `${many} ${worst}`);
  const staying = now.workers.filter(w => w.state !== 'draining').length;
  $('count').textContent = `${staying} worker${staying === 1 ? '' : 's'}`;
  $('version').textContent = now.version;
  last = now;
}

async function ask() {
  if (document.hidden) return;
  try {
    const answer = await fetch('status.json', {signal: AbortSignal.timeout(5000)});
    take(await answer.json());
  } catch {
    tell('away', 'The server does not answer');
  }
}

async function order(what, text) {
  let said = text, failed = false;
  try {
    const answer = await fetch(what, {method: 'POST', signal: AbortSignal.timeout(5000)});
    failed = !answer.ok;
    said = (await answer.text()).trim();
  } catch {
    failed = true;
    said = 'The server does not answer.';
  }
  Object.assign($('message'), {textContent: said, hidden: false, className: failed ? 'failed' : ''});
  setTimeout(() => { if ($('message').textContent === said) $('message').hidden = true; }, 6000);
}

const wanted = by => (last?.workers.filter(w => w.state !== 'draining').length ?? 1) + by;
$('more').onclick = () => order(`scale?workers=${wanted(1)}`);
$('fewer').onclick = () => order(`scale?workers=${Math.max(1, wanted(-1))}`);
$('reload').onclick = () => order('reload');
// Asked twice, for it ends the server.
$('drain').onclick = ({target}) => {
  if (target.classList.toggle('sure')) {
    target.textContent = 'End the server?';
    setTimeout(() => { target.classList.remove('sure'); target.textContent = 'Drain'; }, 4000);
  } else {
    target.textContent = 'Drain';
    order('drain');
  }
};

setInterval(ask, 1000);
document.addEventListener('visibilitychange', ask);
ask();
