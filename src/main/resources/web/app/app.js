// Entry point of the bundle: htmx for the queue's filters, web components for what needs a keyboard.
import htmx from 'htmx.org';
import './app.css';
import './queue.css';
import './chain.css';
import './models.css';
import { csrfToken } from './http.js';
import './queue-page.js';
import './chain-review.js';
import './blind-pair.js';
import './live-counts.js';
import './plots.js';
import './training-live.js';
import { openKeys } from './keys.js';

// The content security policy forbids both.
htmx.config.includeIndicatorStyles = false;
htmx.config.allowEval = false;
htmx.config.historyCacheSize = 0;

document.addEventListener('htmx:configRequest', (event) => {
  event.detail.headers['X-CSRF-TOKEN'] = csrfToken();
});
document.addEventListener('click', (event) => {
  if (event.target.closest('[data-open-keys]')) openKeys();
});
