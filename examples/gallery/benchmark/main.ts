import { openPage } from '../shared/page.ts';

const { main } = await openPage({
  folder: 'benchmark',
  explanation: '',
});
main.append('');
