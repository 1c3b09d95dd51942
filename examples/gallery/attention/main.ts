import { openPage } from '../shared/page.ts';

const { main } = await openPage({
  folder: 'attention',
  explanation: '',
});
main.append('');
