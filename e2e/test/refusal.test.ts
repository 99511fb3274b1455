import { expect, test } from 'vitest';
import { setStage } from '../support/stage.ts';
import { until } from '../support/until.ts';

const stage = setStage();

test('a refused write is taken back, and the user is told why', async () => {
  const server = await stage.policyServer();
  const [one, two] = [await stage.browserAt(server.url), await stage.browserAt(server.url)];
  await one.add('Allowed');
  await two.shows('Allowed');

  await one.add('forbidden');
  const rejection = one.hook('rejection');
  await rejection.waitFor();
  expect(await rejection.textContent()).toMatch('no album may be named "forbidden"');
  expect(await rejection.getAttribute('data-code')).toBe('denied');
  await one.shows('Allowed');
  await one.pending(0);
  await two.add('Another');
  await two.shows('Allowed', 'Another');
  await one.shows('Allowed', 'Another');
  expect(await two.hook('rejection').count()).toBe(0);
});

test('a refused edit shows the album as it was', async () => {
  const server = await stage.policyServer();
  const albums = await stage.browserAt(server.url);
  await albums.add('Allowed', 'Muse', 2001);
  await albums.pending(0);
  await albums.edit('Allowed', { name: 'Forbidden', year: 1999 });
  await albums.hook('rejection').waitFor();
  await albums.shows('Allowed');
  expect(await albums.shown()).toMatchObject([{ name: 'Allowed', year: '2001' }]);
});

test('an album says that it waits, and that a change to it was refused; trying again, editing and dismissing end that', async () => {
  const server = await stage.policyServer();
  const wire = await stage.wire(server);
  const albums = await stage.browserAt(wire.url);
  await albums.add('Showbiz');
  await albums.pending(0);
  const badge = albums.hook('row-sync');
  await badge.waitFor({ state: 'detached' });
  wire.cut();
  await albums.status('offline');
  await albums.edit('Showbiz', { year: 1999 });
  await badge.getByText('pending', { exact: true }).waitFor();
  wire.mend();
  await albums.status('live');
  await badge.waitFor({ state: 'detached' });

  await albums.edit('Showbiz', { name: 'forbidden' });
  await badge.getByText('refused', { exact: true }).waitFor();
  await albums.shows('Showbiz');
  await albums.page.reload();
  await badge.getByText('refused', { exact: true }).waitFor();
  await albums.hook('retry').click();
  await until('it is refused again', async () => (await badge.textContent().catch(() => '')) === 'refused');
  await albums.hook('rejection-edit').click();
  await albums.hook('rejected-name').fill('Showbiz, edited');
  await albums.hook('rejection-save').click();
  await albums.shows('Showbiz, edited');
  await albums.hook('rejection').waitFor({ state: 'detached' });
  await badge.waitFor({ state: 'detached' });

  await albums.add('forbidden');
  await albums.hook('rejection').waitFor();
  await albums.edit('Showbiz, edited', { name: 'forbidden' });
  await badge.getByText('refused', { exact: true }).waitFor();
  await albums.hook('dismiss-all').click();
  await albums.hook('rejection').first().waitFor({ state: 'detached' });
  await badge.waitFor({ state: 'detached' });
  await albums.shows('Showbiz, edited');
});

test('the reason stays over a reload until it is dismissed', async () => {
  const server = await stage.policyServer();
  const albums = await stage.browserAt(server.url);
  await albums.add('forbidden');
  await albums.hook('rejection').waitFor();
  await albums.page.reload();
  await albums.hook('rejection').getByText('no album may be named').waitFor();
  await albums.shows();

  await albums.hook('rejection').getByRole('button', { name: 'Dismiss' }).click();
  await albums.hook('rejection').waitFor({ state: 'detached' });
  await albums.page.reload();
  await albums.status('live');
  expect(await albums.hook('rejection').count()).toBe(0);
});

test('what was written offline is refused when the server hears of it, and what does not depend on it stays', async () => {
  const server = await stage.policyServer();
  const wire = await stage.wire(server);
  const albums = await stage.browserAt(wire.url);
  wire.cut();
  await albums.status('offline');
  await albums.add('forbidden');
  await albums.add('Innocent');
  await albums.shows('Innocent', 'forbidden'); // capitals sort first
  await albums.pending(2);
  wire.mend();
  await albums.hook('rejection').waitFor();
  await albums.shows('Innocent');
  await albums.pending(0);
});
