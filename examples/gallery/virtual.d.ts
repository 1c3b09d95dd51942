/** Of digits-plugin.js: the address of the digits. */
declare module 'virtual:digits' {
  const address: string;
  export default address;
}
