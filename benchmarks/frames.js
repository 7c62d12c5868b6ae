// How many frames a second does this page show, while so many seconds go by?

(seconds) => new Promise((done) => {
  let first, frames = 0;
  const count = (now) => {
    first ??= now;
    if (now - first < 1000 * seconds) frames += 1, requestAnimationFrame(count);
    else done((1000 * frames) / (now - first));
  };
  requestAnimationFrame(count);
})
