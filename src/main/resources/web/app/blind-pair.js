// Two chains side by side: one key says which is right.
import { isCommand } from './keys.js';

class BlindPair extends HTMLElement {
  connectedCallback() {
    this.onKey = (event) => {
      if (!isCommand(event) || event.repeat || this.busy) return;
      const choice = { 1: 'A', 2: 'B', 3: 'BOTH', 4: 'NEITHER' }[event.key];
      const button = choice && this.querySelector(`button[value=${choice}]`);
      if (!button) return;
      event.preventDefault();
      this.busy = true;
      button.form.requestSubmit(button);
    };
    document.addEventListener('keydown', this.onKey);
  }

  disconnectedCallback() {
    document.removeEventListener('keydown', this.onKey);
  }
}

customElements.define('blind-pair', BlindPair);
