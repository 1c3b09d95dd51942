import { openPage } from '../shared/page.ts';

const { main } = await openPage({
  folder: 'reparameterization',
  explanation: '',
});
main.append('');
