/** Of digits-plugin.js: the addresses of the digits. */
declare module 'virtual:digits' {
  export const test: string;
  export const train: string;
}
