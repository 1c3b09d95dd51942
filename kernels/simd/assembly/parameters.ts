/** dgamma and dbeta, summed over all rows that share gamma and beta, and the step from one condition to the next. */
import { Form, clearTotals } from './form';
import { addTo, padded, zero } from './lanes';

/** totals += partial, partial = 0. */
export function flush(form: Form): void {
  const size = padded(form.c) << 1, partial = form.partial;
  for (let i: usize = 0; i < size; i += 16) {
    addTo(form.totals + (i << 1), v128.load(partial + i));
    v128.store(partial + i, zero());
  }
  form.pending = 0;
}

/** Writes the sums dgamma and dbeta, [c] each, as float32. */
export function parameterGradients(form: Form, dgamma: usize, dbeta: usize): void {
  flush(form);
  const totals = form.totals, next = padded(form.c) << 1;
  for (let i: usize = 0, end = <usize>form.c << 2; i < end; i += 4) {
    store<f32>(dgamma + i, <f32>load<f64>(totals + (i << 1)));
    store<f32>(dbeta + i, <f32>load<f64>(totals + next + (i << 1)));
  }
}

/** To be called after `rows` rows of [n * s, c]. After the last row of a condition writes its gradients, and begins the next one. */
export function advance(form: Form, rows: i32): void {
  form.left -= rows;
  if (form.left > 0) return;
  if (form.affine && !form.within) {
    parameterGradients(form, form.dgamma, form.dbeta);
    clearTotals(form);
  }
  moveTo(form, form.condition + 1);
}

/** Moves to the first row of a condition. */
export function moveTo(form: Form, condition: i32): void {
  const bytes = <isize>(condition - form.condition) * (<isize>form.c << 2);
  form.gamma += bytes; form.beta += bytes; form.dgamma += bytes; form.dbeta += bytes;
  form.condition = condition;
  form.left = form.share;
}

/** Moves to a row of [n * s, c]. */
export function seek(form: Form, row: i32): void {
  moveTo(form, row / form.share);
  form.left = form.share - row % form.share;
}
