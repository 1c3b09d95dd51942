import { openPage } from '../shared/page.ts';

const { main } = await openPage({
  folder: 'critic',
  explanation: '',
});
main.append('');
