import { openPage } from '../shared/page.ts';

const { main } = await openPage({
  folder: 'averages',
  explanation: '',
});
main.append('');
