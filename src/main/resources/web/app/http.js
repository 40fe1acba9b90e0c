// Requests of the page: forms under the session cookie, with the CSRF token in a header.

export function csrfToken() {
  return document.querySelector('meta[name=csrf-token]')?.content ?? '';
}

/** An answer that is an error: `status` is 0 if there was no answer at all. */
export class RequestError extends Error {
  constructor(status, message, problem = {}) {
    super(message);
    this.status = status;
    this.problem = problem;
  }
}

async function send(path, options) {
  let response;
  try {
    response = await fetch(path, { credentials: 'same-origin', ...options });
  } catch {
    throw new RequestError(0, 'No connection to the server. Nothing is lost: try again when it is back.');
  }
  if (response.redirected && new URL(response.url).pathname === '/login') {
    throw new RequestError(401, 'Your session has ended. Sign in in another tab, then try again: your work is kept here.');
  }
  if (!response.ok) {
    const problem = await response.json().catch(() => ({}));
    throw new RequestError(response.status, problem.detail ?? `The server answered ${response.status}.`, problem);
  }
  return response;
}

export async function get(path) {
  return send(path, {});
}

/** Sends a form; empty values are left out. */
export async function post(path, fields = {}, options = {}) {
  const body = new URLSearchParams();
  for (const [name, value] of Object.entries(fields)) {
    for (const one of Array.isArray(value) ? value : [value]) {
      if (one !== null && one !== undefined) body.append(name, one);
    }
  }
  return send(path, {
    method: 'POST',
    headers: { 'X-CSRF-TOKEN': csrfToken() },
    body,
    ...options,
  });
}
