// The keyboard: single keys, never while somebody types.

export function openKeys() {
  document.getElementById('keys')?.showModal();
}

export function typing(event) {
  const target = event.target;
  // A radio button or a check box takes arrows and space, and no letters.
  if (target.matches('input[type=radio], input[type=checkbox]')) return /^(Arrow|Enter$| $)/.test(event.key);
  return target.isContentEditable || /^(INPUT|TEXTAREA|SELECT)$/.test(target.tagName);
}

/** Whether a key press is a command of the page. */
export function isCommand(event) {
  return !(event.ctrlKey || event.metaKey || event.altKey || typing(event) || document.querySelector('dialog[open]'));
}

document.addEventListener('keydown', (event) => {
  if (isCommand(event) && event.key === '?') {
    event.preventDefault();
    openKeys();
  }
});
