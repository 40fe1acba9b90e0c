// One line that is seen and read out, and goes away by itself.

const KEPT = 'reckoner.toast';
let timer;

export function toast(message) {
  const box = document.getElementById('toast');
  box.textContent = message;
  box.classList.add('shown');
  clearTimeout(timer);
  // Longer messages stay longer: about the time it takes to read them twice.
  timer = setTimeout(() => box.classList.remove('shown'), Math.max(6000, message.length * 120));
}

/** For the page that comes next, whether it is loaded or swapped in. */
export function toastNext(message) {
  sessionStorage.setItem(KEPT, message);
}

export function showKept() {
  const message = sessionStorage.getItem(KEPT);
  if (!message || !document.getElementById('toast')) return;
  sessionStorage.removeItem(KEPT);
  toast(message);
}

showKept();
