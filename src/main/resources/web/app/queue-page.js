// The queue: j and k along the lines, Enter opens, / searches.
import { isCommand } from './keys.js';
import { undoLast } from './next.js';
import { toast } from './toast.js';

class QueuePage extends HTMLElement {
  connectedCallback() {
    this.onKey = (event) => this.key(event);
    document.addEventListener('keydown', this.onKey);
    this.addEventListener('click', (event) => {
      const row = event.target.closest('tr[data-href]');
      if (row && !event.target.closest('a')) location.href = row.dataset.href;
    });
  }

  disconnectedCallback() {
    document.removeEventListener('keydown', this.onKey);
  }

  async undo() {
    try {
      if (!(await undoLast())) toast('Nothing to undo');
    } catch (error) {
      toast(error.message);
    }
  }

  key(event) {
    if (event.key === 'Escape' && event.target.id === 'search') event.target.blur();
    if (!isCommand(event)) return;
    const links = [...this.querySelectorAll('.queue tbody a')];
    const at = links.indexOf(document.activeElement);
    const actions = {
      j: () => links[Math.min(at + 1, links.length - 1)]?.focus(),
      k: () => links[Math.max(at - 1, 0)]?.focus(),
      n: () => this.querySelector('a[href="/next"]')?.click(),
      u: () => this.undo(),
      '/': () => this.querySelector('#search').focus(),
    };
    if (actions[event.key]) {
      event.preventDefault();
      actions[event.key]();
    }
  }
}

customElements.define('queue-page', QueuePage);
