// From one chain to the next: the next page is loaded while this one is read, and shown at once if
// it still is the next when the decision is made.
import { get, post } from './http.js';
import { showKept } from './toast.js';

const SKIPPED = 'reckoner.skipped';
const LAST = 'reckoner.last-decision';
let ahead = null;

function skipped() {
  return JSON.parse(sessionStorage.getItem(SKIPPED) ?? '[]');
}

/** Not to be offered again in this session, unless nothing else waits. */
export function skip(id) {
  sessionStorage.setItem(SKIPPED, JSON.stringify([...new Set([...skipped(), id])].slice(-200)));
}

/** What `undoLast` would take back. */
export function remember(decision) {
  sessionStorage.setItem(LAST, JSON.stringify(decision));
}

/** Takes a decision back and opens its chain. */
export async function undo(analysis, decision) {
  await post(`/chains/${analysis}/undo`, { id: crypto.randomUUID(), decision });
  sessionStorage.removeItem(LAST);
  location.assign(`/chains/${analysis}`);
}

/** Takes back what was decided last in this tab; false if there is nothing. */
export async function undoLast() {
  const last = JSON.parse(sessionStorage.getItem(LAST));
  if (!last) return false;
  await undo(last.analysis, last.decision);
  return true;
}

/** Loads what would come after `id`. */
export async function prefetch(id) {
  ahead = null;
  try {
    const query = new URLSearchParams([...skipped(), id].map((one) => ['skip', one]));
    const next = await (await get(`/next/peek?${query}`)).json();
    if (next.id) ahead = { id: next.id, html: await (await get(`/chains/${next.id}`)).text() };
  } catch {
    // The next page is then loaded when it is needed.
  }
}

/** Claims and shows the next chain, or the queue if nothing waits. */
export async function advance(id) {
  const claim = (skip_) => post('/next', { skip: skip_ }).then((response) => response.json());
  let next = await claim([...skipped(), id]);
  if (!next.id && skipped().length > 0) {
    sessionStorage.removeItem(SKIPPED);
    next = await claim([id]);
  }
  if (!next.id) {
    location.assign('/');
  } else if (ahead?.id === next.id) {
    swap(ahead);
  } else {
    location.assign(`/chains/${next.id}`);
  }
}

function swap(page) {
  const fresh = new DOMParser().parseFromString(page.html, 'text/html');
  ahead = null;
  document.title = fresh.title;
  history.pushState({}, '', `/chains/${page.id}`);
  const main = document.getElementById('main');
  main.replaceChildren(...fresh.getElementById('main').childNodes);
  main.focus({ preventScroll: true });
  scrollTo(0, 0);
  showKept();
}

addEventListener('popstate', () => location.reload());
