// Counts from the server as they change. Only numbers: what is being read or edited never moves.

function listen() {
  const source = new EventSource('/stream');
  source.addEventListener('counts', (event) => {
    for (const [name, value] of Object.entries(JSON.parse(event.data))) {
      document.querySelectorAll(`[data-count="${name}"]`).forEach((el) => {
        el.textContent = value;
      });
      // The page was written with the counts of a moment ago: what there was nothing for may be wanted now.
      document.querySelectorAll(`[data-while="${name}"]`).forEach((el) => {
        el.hidden = value === 0;
      });
    }
  });
  addEventListener('pagehide', () => source.close());
}

if (document.querySelector('[data-count]')) listen();
