import { openPage } from '../shared/page.ts';

const { main } = await openPage({
  folder: 'save-and-load',
  explanation: '',
});
main.append('');
