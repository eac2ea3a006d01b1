// Shows what /v1/live sends, once a second. Names come from peers: they are text, never markup.
'use strict';

const LOST_MS = 3500, GONE_MS = 120e3, KEPT_POINTS = 320, NAMED = 5;
const $ = (selector) => document.querySelector(selector);

// Numbers ------------------------------------------------------------------------------------------------------------

// 950, 1.2k, 45.3k, 1.25M: at most three figures that count.
function short(value) {
  if (value == null) return '–';
  for (const [unit, size] of [['G', 1e9], ['M', 1e6], ['k', 1e3]])
    if (value >= size * 0.9995) return (value / size).toPrecision(3).replace(/\.?0+$/, '') + unit;
  return value >= 100 || Number.isInteger(value) ? String(Math.round(value)) : value.toFixed(1).replace('.0', '');
}

const whole = (value) => value.toLocaleString('en-US');

// Microseconds as [figure, unit].
function time(us) {
  if (us == null) return ['–', ''];
  const [size, unit] = us < 999.5 ? [1, 'µs'] : us < 999.5e3 ? [1e3, 'ms'] : [1e6, 's'];
  const value = us / size;
  return [value >= 99.95 || Number.isInteger(value) ? value.toFixed(0) : value.toPrecision(value < 10 ? 2 : 3), unit];
}

function age(seconds) {
  const units = [['d', 86400], ['h', 3600], ['m', 60], ['s', 1]];
  const at = Math.max(units.findIndex(([, size]) => seconds >= size), 0);
  const first = seconds < 1 ? 3 : at, [unit, size] = units[first];
  const words = [Math.floor(seconds / size) + unit];
  if (first < 3) words.push(Math.floor(seconds % size / units[first + 1][1]) + units[first + 1][0]);
  return words.join(' ');
}

// Pieces -------------------------------------------------------------------------------------------------------------

function element(name, className, text) {
  const node = document.createElement(name);
  if (className) node.className = className;
  if (text != null) node.textContent = text;
  return node;
}

const show = (field, text) => { $(`[data-show="${field}"]`).textContent = text; };

function cell(row, className, ...content) {
  const node = element('td', className);
  node.append(...content);
  row.append(node);
  return node;
}

// share: 0 to 1, and beyond.
function bar(share, text, isFull = share >= 1) {
  const load = element('div', 'load'), track = element('div', 'bar' + (isFull ? ' full' : '')), fill = element('i');
  fill.style.width = `${Math.min(Math.max(share, 0), 1) * 100}%`;
  track.append(fill);
  track.setAttribute('aria-hidden', 'true');
  load.append(track, element('span', '', text));
  return load;
}

// Rows by key keep their place in the page, so that bars move and a selection stays.
function fill(id, items, key, make, nothing) {
  const body = $(`#${id} tbody`), before = new Map([...body.children].map((row) => [row.dataset.key, row]));
  const rows = items.map((item) => {
    const row = element('tr');
    row.dataset.key = key(item);
    make(row, item);
    const old = before.get(row.dataset.key);
    if (!old || old.childElementCount !== row.childElementCount) return row;
    old.className = row.className;
    [...row.children].forEach((fresh, i) => {
      const fills = [fresh, old.children[i]].map((node) => node.querySelector('.bar i'));
      if (fills[0] && fills[1]) {
        fills[1].style.width = fills[0].style.width;
        fills[1].parentElement.className = fills[0].parentElement.className;
        old.children[i].querySelector('.load span').textContent = fresh.querySelector('.load span').textContent;
      } else if (!old.children[i].isEqualNode(fresh)) {
        old.children[i].replaceWith(fresh);
      }
    });
    return old;
  });
  if (!rows.length) {
    const row = element('tr');
    cell(row, 'none', nothing).colSpan = $(`#${id} thead tr`).childElementCount;
    rows.push(row);
  }
  if (rows.length !== body.childElementCount || rows.some((row, i) => row !== body.children[i])) body.replaceChildren(...rows);
}

const serves = (one) => [one.actions.join(', '), one.models.join(', '), one.tags.map((tag) => '#' + tag).join(' ')]
  .filter(Boolean).join(' · ');

// Parts of the page --------------------------------------------------------------------------------------------------

const throughput = new Chart($('#throughput'), [
  { key: 'delivered', label: 'delivered', class: 'work' },
  { key: 'rejected', label: 'refused', class: 'lost', quiet: true },
], { format: short });
const latency = new Chart($('#latency'), [
  { key: 'p50', label: 'p50', class: 'work-faint' },
  { key: 'p90', label: 'p90', class: 'work-soft' },
  { key: 'p99', label: 'p99', class: 'work' },
], { format: (us) => time(us).join(' ').trim(), log: true });

let points = [];
const gone = new Map();  // workers that were there before, by node
let known = new Map();   // those that were there last

function showState(live) {
  const badge = $('#state');
  const [className, words] = live.draining ? ['look', 'draining'] : live.workers.total === 0 ? ['look', 'no worker']
    : live.workers.out === live.workers.total ? ['bad', 'all workers out']
    : live.degraded.length ? ['look', 'degraded'] : ['good', 'serving'];
  badge.className = 'badge ' + className;
  badge.textContent = words;
  show('version', live.version);
  show('uptime', age(live.uptime_s));
  const trial = live.confirm_left_ms == null ? '' : `, on trial for ${age(live.confirm_left_ms / 1000)}`;
  show('generation', `generation ${live.generation}${trial}`);
  show('clients', whole(live.clients));
  document.title = `${words} · mcplane`;
}

function showNotices(live) {
  const lines = live.degraded.map((route) => `${route.route} is degraded (${route.chain}): ${route.why}`);
  const out = live.workers.out;
  if (out) lines.push(`${out} of ${live.workers.total} workers ${out === 1 ? 'gets' : 'get'} no tasks, or only trial ones: see their breakers`);
  const lost = [...gone.values()].filter((worker) => !worker.left).map((worker) => worker.name || worker.node_id);
  if (lost.length) lines.push(`Lost within the last ${GONE_MS / 60e3} minutes: ${lost.slice(0, NAMED).join(', ')}${lost.length > NAMED ? ` and ${whole(lost.length - NAMED)} more` : ''}`);
  if (live.pending) lines.push(`${live.pending} settings wait for the next start`);
  // What is said already is not said again to who listens to the page.
  const said = [...$('#notices').children].map((line) => line.textContent);
  if (said.join('\n') !== lines.join('\n')) $('#notices').replaceChildren(...lines.map((line) => element('p', 'notice', line)));
}

function showTiles(live) {
  const task = live.latency_us.task;
  show('delivered', short(live.rates.delivered));
  for (const name of ['p50', 'p99']) {
    const [figure, unit] = time(task && task[name]);
    show(name, figure);
    $(`[data-unit="${name}"]`).textContent = unit;
  }
  show('in_flight', short(live.in_flight));
  show('queued', short(live.queued));
  show('rejected', short(live.rates.rejected));
  $('[data-show="queued"]').closest('.tile').classList.toggle('look', live.queued > 0);
  $('[data-show="rejected"]').closest('.tile').classList.toggle('bad', live.rates.rejected > 0);
}

function noteGone(live) {
  const now = Date.now(), here = new Map(live.workers.shown.map((worker) => [worker.node_id, worker]));
  // Of a cut list nobody can say who is missing.
  if (!live.workers.rest.count)
    for (const [node, worker] of known)
      if (!here.has(node)) gone.set(node, { ...worker, goneAt: now, left: worker.state === 'draining' });
  for (const [node, worker] of gone) if (here.has(node) || now - worker.goneAt > GONE_MS) gone.delete(node);
  known = here;
}

// What workers have beyond their slots was sent ahead, and is not begun.
function loadBar(tasks, slots) {
  const ahead = tasks > slots ? ` +${short(tasks - slots)}` : '';
  return bar(tasks / slots, `${short(Math.min(tasks, slots))} of ${short(slots)}${ahead}`);
}

function breakerBadge(worker) {
  if (worker.goneAt) return element('span', 'badge' + (worker.left ? '' : ' bad'), worker.left ? 'left' : 'lost');
  if (worker.state !== 'up') return element('span', 'badge look', worker.state);
  const className = { closed: 'good', open: 'bad', 'half-open': 'look' }[worker.breaker] || '';
  return element('span', `badge ${className}`, worker.breaker);
}

function showWorkers(live) {
  const { total, out, rest } = live.workers;
  show('workers', total ? `${whole(total)}${out ? `, ${whole(out)} out` : ''}` : '');
  const trouble = (worker) => worker.goneAt ? (worker.left ? 3 : 1) : worker.state !== 'up' || worker.breaker !== 'closed' ? 0 : 2;
  const list = [...live.workers.shown, ...gone.values()].sort((a, b) =>
    trouble(a) - trouble(b) || a.name.localeCompare(b.name, 'en', { numeric: true }) || (a.node_id < b.node_id ? -1 : 1));
  fill('workers', list, (worker) => worker.node_id, (row, worker) => {
    row.className = worker.goneAt ? 'gone' : '';
    const about = worker.goneAt ? `for ${age((Date.now() - worker.goneAt) / 1000)}` : worker.reason;
    cell(row, '', element('span', 'name', worker.name || worker.node_id), element('small', '', worker.address));
    cell(row, 'wide', serves(worker) + (worker.shadow ? ' · shadow' : ''));
    cell(row, '', breakerBadge(worker), ...(about ? [element('small', '', about)] : []));
    cell(row, '', worker.goneAt ? '' : loadBar(worker.outstanding, worker.slots));
    cell(row, 'number wide', worker.goneAt ? '' : short(worker.tasks_per_s));
    cell(row, 'number wide', worker.goneAt ? '' : age(worker.age_s));
  }, 'None is registered.');
  $('#rest').hidden = !rest.count;
  if (rest.count) $('#rest').textContent = `and ${whole(rest.count)} less loaded ones: ${whole(rest.outstanding)} of ${whole(rest.slots)} slots in use`;
}

function showTables(live) {
  fill('pools', live.pools, serves, (row, pool) => {
    cell(row, '', element('span', 'name', serves(pool)));
    cell(row, '', loadBar(pool.in_flight, pool.slots));
    cell(row, 'number', short(pool.queued));
    cell(row, 'number', `${pool.ready} of ${pool.workers}`);
    cell(row, 'number', String(pool.desired));
  }, 'None: a pool is the workers that serve the same.');
  const more = live.pools_total - live.pools.length;
  $('#pools-rest').hidden = more <= 0;
  $('#pools-rest').textContent = `and ${whole(more)} more`;
  fill('cores', live.cores, (core) => String(core.id), (row, core) => {
    cell(row, '', element('span', 'name', String(core.id)), element('small', '', core.cpu == null ? '' : `CPU ${core.cpu}`));
    cell(row, '', bar(core.busy, `${Math.round(core.busy * 100)} %`, core.busy > 0.9));
    cell(row, 'number', short(core.accepted));
    cell(row, 'number', short(core.queued));
  }, '');
  fill('ports', live.ports, (port) => port.name, (row, port) => {
    cell(row, '', element('span', 'name', port.name));
    cell(row, '', element('span', `badge ${port.link === 'up' ? 'good' : 'bad'}`, port.link));
    cell(row, 'number', short(port.frames_in));
    cell(row, 'number', short(port.frames_out));
    cell(row, 'number', whole(port.lost));
  }, '');
  const reasons = (id, list, nothing) => fill(id, list, (one) => one.reason, (row, one) => {
    cell(row, '', one.reason.replaceAll('_', ' '));
    cell(row, 'number', short(one.per_s));
    cell(row, 'number', whole(one.total));
  }, nothing);
  reasons('refused', live.rejected, 'None since the start.');
  reasons('drops', live.drops, 'None since the start.');
}

// A narrow screen breaks it between words, not within --flags.
function showCommand(selector, line) {
  if ($(selector).textContent !== line)
    $(selector).replaceChildren(...line.split(' ').flatMap((word, i) => [i ? ' ' : '', element('span', '', word)]));
}

function showEmpty(live) {
  const isEmpty = live.workers.total === 0 && gone.size === 0;
  $('#empty').hidden = !isEmpty;
  for (const id of ['workers', 'pools']) $('#' + id).closest('section').hidden = isEmpty;
  const host = (live.ips[0] || '').includes(':') ? `[${live.ips[0]}]` : live.ips[0];
  const at = live.base_port === 4800 ? host : `${host}:${live.base_port}`;
  showCommand('#start-worker', `mcplane-worker --broker ${at} --backend echo`);
  showCommand('#send-task', `mcplane-ctl send --broker ${at} --action generate --prompt hi`);
}

function showLive(live) {
  showState(live);
  noteGone(live);
  showNotices(live);
  showTiles(live);
  showEmpty(live);
  showWorkers(live);
  showTables(live);
  points = [...points, live.point].slice(-KEPT_POINTS);
  throughput.set(points);
  latency.set(points);
  document.body.dataset.shown = live.number;
}

// The connection -----------------------------------------------------------------------------------------------------

let heardAt = Date.now();
const source = new EventSource('/v1/live');

function look() {
  const silent = Date.now() - heardAt, isLost = silent > LOST_MS || source.readyState === EventSource.CLOSED;
  document.body.classList.toggle('stale', isLost);
  $('#lost').hidden = !isLost;
  if (!isLost) return;
  $('#lost').textContent = `No word from the appliance for ${age(silent / 1000)}. What is below is what it said last.`;
  $('#state').className = 'badge bad';
  $('#state').textContent = 'not connected';
  document.title = 'not connected · mcplane';
}

// Comes first, and after a break: it may be another life of the appliance.
source.addEventListener('history', (event) => {
  points = JSON.parse(event.data);
  gone.clear();
  known.clear();
});
source.addEventListener('live', (event) => {
  heardAt = Date.now();
  showLive(JSON.parse(event.data));
  look();
});
// Refused, as when too many listen: the browser does not try again by itself.
source.addEventListener('error', () => {
  if (source.readyState === EventSource.CLOSED) setTimeout(() => location.reload(), 10e3);
  look();
});
setInterval(look, 1000);
$('#host').textContent = location.host;
