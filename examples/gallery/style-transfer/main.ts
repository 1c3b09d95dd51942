import { openPage } from '../shared/page.ts';

const { main } = await openPage({
  folder: 'style-transfer',
  explanation: '',
});
main.append('');
