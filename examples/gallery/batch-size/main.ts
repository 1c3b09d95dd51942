import { openPage } from '../shared/page.ts';

const { main } = await openPage({
  folder: 'batch-size',
  explanation: '',
});
main.append('');
