// A training run as it goes on: progress and loss from the server, step by step.
import htmx from 'htmx.org';

class ModelPage extends HTMLElement {
  connectedCallback() {
    this.listen();
    this.onHide = () => this.source.close();
    addEventListener('pagehide', this.onHide);
  }

  disconnectedCallback() {
    removeEventListener('pagehide', this.onHide);
    this.source.close();
  }

  listen() {
    const last = this.querySelector('loss-plot')?.last ?? 0;
    this.source = new EventSource(`/stream/training?after=${last}`);
    this.source.addEventListener('training', (event) => this.show(JSON.parse(event.data)));
  }

  show(run) {
    const card = this.querySelector('.card-train');
    const shown = card?.dataset.run ?? '';
    const plotless = run.points.length > 1 && !card.querySelector('loss-plot');
    if ((run.id ?? '') !== shown || (run.id && (run.status !== card.dataset.status || plotless))) {
      // Another phase, or another run: what can be done about it changes as well.
      htmx.ajax('GET', '/models/content', { target: '#models', swap: 'outerHTML' });
      return;
    }
    if (!run.id) return;
    card.querySelector('[data-run-message]').textContent = run.message;
    const progress = card.querySelector('progress');
    if (run.steps > 0) {
      progress.max = run.steps;
      progress.value = run.step;
    }
    card.querySelector('loss-plot')?.add(run.points);
  }
}

customElements.define('model-page', ModelPage);
