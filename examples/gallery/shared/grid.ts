/** Places on a square of the plane, for pictures of what a network says there. */

/** Places in each direction. */
export const GRID = 40;

/** [GRID * GRID, 2]: the middles of cells that fill [-extent, extent]^2, rows from above. */
export const gridPoints = (extent: number): Float32Array =>
  Float32Array.from({ length: 2 * GRID * GRID }, (_, i) => {
    const at = Math.floor(i / 2);
    const middle = (cell: number) => ((2 * cell + 1) / GRID - 1) * extent;
    return i % 2 === 0 ? middle(at % GRID) : -middle(Math.floor(at / GRID));
  });
