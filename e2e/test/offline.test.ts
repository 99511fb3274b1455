import { expect, test } from 'vitest';
import { agree, Albums } from '../support/albums.ts';
import { setStage } from '../support/stage.ts';

const stage = setStage();

test('edits made offline survive a reload, offline, and reach the others afterwards', async () => {
  const server = await stage.server();
  const wire = await stage.wire(server);
  const [away, home] = [await stage.browserAt(wire.url), await stage.browserAt(server.url)];
  await home.add('Absolution');
  await home.add('Drones');
  await away.shows('Absolution', 'Drones');
  await away.keepsFiles();

  wire.cut();
  await away.status('offline');
  await away.add('Written on a plane');
  await away.edit('Absolution', { name: 'Absolution, remastered' });
  await away.remove('Drones');
  await away.shows('Absolution, remastered', 'Written on a plane');
  await away.pending(3);

  await away.page.reload();
  await away.shows('Absolution, remastered', 'Written on a plane');
  await away.pending(3);
  await away.status('offline');
  await home.add('Meanwhile at home');
  await home.shows('Absolution', 'Drones', 'Meanwhile at home');

  wire.mend();
  await away.status('live');
  await away.pending(0);
  await away.shows('Absolution, remastered', 'Meanwhile at home', 'Written on a plane');
  await agree(away, home);
});

test('the switch of the browser itself does the same', async () => {
  const server = await stage.server();
  const context = await stage.context();
  const away = await Albums.openLive(context, server.url);
  const home = await stage.browserAt(server.url);
  await home.add('Absolution');
  await away.shows('Absolution');
  await away.keepsFiles();

  await context.setOffline(true);
  await away.status('offline');
  await away.add('Written on a plane');
  await away.pending(1);
  await home.add('Meanwhile at home');
  await home.shows('Absolution', 'Meanwhile at home');

  await away.page.reload();
  await away.shows('Absolution', 'Written on a plane');
  await away.status('offline');

  await context.setOffline(false);
  await away.status('live');
  await away.shows('Absolution', 'Meanwhile at home', 'Written on a plane');
  await agree(away, home);
  await away.pending(0);
});

test('a browser that was closed offline sends its edits when it is opened again', async () => {
  const server = await stage.server();
  const wire = await stage.wire(server);
  const context = await stage.context();
  const before = await Albums.openLive(context, wire.url);
  await before.keepsFiles();
  wire.cut();
  await before.status('offline');
  await before.add('Left behind');
  await before.pending(1);
  await before.page.close();

  const after = await Albums.open(context, wire.url);
  await after.shows('Left behind');
  await after.pending(1);
  wire.mend();
  await after.status('live');
  await after.pending(0);
  await (await stage.browserAt(server.url)).shows('Left behind');
});

test('edits of one field, offline here and online there, end the same on both sides', async () => {
  const server = await stage.server();
  const wire = await stage.wire(server);
  const [away, home] = [await stage.browserAt(wire.url), await stage.browserAt(server.url)];
  await home.add('Drones');
  await away.shows('Drones');

  wire.cut();
  await away.status('offline');
  await away.edit('Drones', { name: 'Renamed away', artist: 'Edited away' });
  await away.shows('Renamed away');
  await home.edit('Drones', { name: 'Renamed at home', year: 1234 });
  await home.shows('Renamed at home');

  wire.mend();
  await away.pending(0);
  await away.shows('Renamed at home'); // the later write of one field wins, on every node
  expect(await agree(away, home)).toMatchObject([{ name: 'Renamed at home', artist: 'Edited away', year: '1234' }]);
});
