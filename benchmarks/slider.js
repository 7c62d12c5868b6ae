// A witness in the page: when was a key pressed, and in which frame was the picture another one?
//
// One look per animation frame. A picture counts once it is decoded; a frame without any picture is a blank.

(cell) => {
  const keys = [], frames = [];
  const names = new WeakMap();
  let named = 0;
  const name = (node) => {
    if (!names.has(node)) names.set(node, ++named);
    return names.get(node);
  };
  const hash = (text) => {
    let sum = 0;
    for (let i = 0; i < text.length; i += 7) sum = (Math.imul(sum, 31) + text.charCodeAt(i)) | 0;
    return sum;
  };

  const look = () => {
    const picture = [...cell.querySelectorAll("img")].find((image) => image.getBoundingClientRect().height > 100);
    const there = Boolean(picture && picture.complete && picture.naturalWidth);
    frames.push({ time: performance.now(), there, sign: there ? `${name(picture)} ${hash(picture.src)}` : "" });
    if (witness.watching) requestAnimationFrame(look);
  };
  const note = (event) => event.key.startsWith("Arrow") && keys.push(event.timeStamp);

  const witness = { watching: true, stop() {
    witness.watching = false;
    document.removeEventListener("keydown", note, true);
    return { keys, frames };
  } };
  document.addEventListener("keydown", note, true);
  requestAnimationFrame(look);
  window.witness = witness;
}
