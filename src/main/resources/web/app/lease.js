// Holds the analysis for this page while it is open. The server decides; the page only says so.
import { post } from './http.js';

const HEARTBEAT_MS = 20_000;

export class Lease {
  /** @param onLost called with who has it now; @param onHeld called when it is (again) ours */
  constructor(id, { onHeld, onLost }) {
    this.id = id;
    this.onHeld = onHeld;
    this.onLost = onLost;
    this.token = null;
    this.stopped = false;
    this.beat();
    this.timer = setInterval(() => this.beat(), HEARTBEAT_MS);
    this.onHide = () => this.release(true);
    addEventListener('pagehide', this.onHide);
  }

  async beat() {
    try {
      const response = await post(`/chains/${this.id}/lease`, { token: this.token });
      const lease = await response.json();
      if (this.stopped) {
        if (lease.mine) post(`/chains/${this.id}/release`, { token: lease.token }).catch(() => {});
        return;
      }
      if (lease.mine) {
        const gained = this.token === null;
        this.token = lease.token;
        if (gained) this.onHeld();
      } else {
        const had = this.token !== null;
        this.token = null;
        this.onLost(lease.holder, had);
        if (had) clearInterval(this.timer);
      }
    } catch {
      // A heartbeat that is lost is made up for by the next; a decision says so if it is too late.
    }
  }

  /** Gives it back; `leaving` while the page is going away, when only a keep-alive gets through. */
  release(leaving = false) {
    this.stop();
    if (this.token === null) return;
    const token = this.token;
    this.token = null;
    return post(`/chains/${this.id}/release`, { token }, { keepalive: leaving }).catch(() => {});
  }

  stop() {
    this.stopped = true;
    clearInterval(this.timer);
    removeEventListener('pagehide', this.onHide);
  }
}
