// A number with a true minus, which no zero has.
const signed = (value, digits) => value.toFixed(digits).replace(/^-(?=0\.?0*$)/, "").replace("-", "−");

// Pearson's correlation; null for fewer than three points, or where one side stands still.
function pearson(x, y) {
  const mean = (values) => values.reduce((a, b) => a + b, 0) / values.length;
  const [mx, my] = [mean(x), mean(y)];
  const sum = (term) => x.reduce((total, _, i) => total + term(x[i] - mx, y[i] - my), 0);
  const product = Math.sqrt(sum((a) => a * a) * sum((_, b) => b * b));
  return x.length > 2 && product > 0 ? sum((a, b) => a * b) / product : null;
}
