import { openPage } from '../shared/page.ts';

const { main } = await openPage({
  folder: 'gates',
  explanation: '',
});
main.append('');
