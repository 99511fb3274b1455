import { expect, test } from 'vitest';
import { agree, Albums } from '../support/albums.ts';
import { setStage } from '../support/stage.ts';

const stage = setStage();

test('a server that is killed with -9 loses nothing that it had, and nothing that was written meanwhile', async () => {
  const server = await stage.server();
  const [one, two] = [await stage.browserAt(server.url), await stage.browserAt(server.url)];
  await one.add('Before');
  await one.pending(0); // acknowledged
  await two.shows('Before');

  await server.kill();
  await one.status('offline');
  await two.status('offline');
  await one.add('Written by one');
  await two.add('Written by two');
  await two.edit('Before', { year: 1999 });
  await one.shows('Before', 'Written by one');
  await two.shows('Before', 'Written by two');

  await server.start();
  await one.status('live');
  await two.status('live');
  await one.shows('Before', 'Written by one', 'Written by two');
  expect(await agree(one, two)).toMatchObject([{ name: 'Before', year: '1999' }, {}, {}]);
  await one.pending(0);
  await two.pending(0);
  await (await stage.browserAt(server.url)).shows('Before', 'Written by one', 'Written by two');
});

test('killed in the middle of a burst of writes, again and again, it ends with each of them once', async () => {
  const server = await stage.server();
  const [one, two] = [await stage.browserAt(server.url), await stage.browserAt(server.url)];
  const names: string[] = []; // no more than are in sight of the list
  for (let round = 0; round < 3; round++) {
    for (let index = 0; index < 3; index++) {
      const name = `Album ${round}.${index}`;
      names.push(name);
      await one.add(name);
      if (index === 1) await server.kill();
    }
    await server.start();
    await one.status('live');
  }
  await one.pending(0);
  await two.shows(...names);
  await agree(one, two);
});

test('a reload while the server is down shows everything that was here', async () => {
  const server = await stage.server();
  const context = await stage.context();
  const albums = await Albums.openLive(context, server.url);
  await albums.add('Here to stay');
  await albums.pending(0);
  await albums.keepsFiles();
  await server.kill();
  await albums.page.reload();
  await albums.shows('Here to stay');
  await albums.status('offline');
  await server.start();
  await albums.status('live');
});

test('a server that is stopped in good order is offline for its browsers, not an error', async () => {
  const server = await stage.server();
  const albums = await stage.browserAt(server.url);
  await albums.add('Absolution');
  await albums.pending(0);
  await server.stop();
  await albums.status('offline');
  expect(await albums.hook('rejection').count()).toBe(0);
  await server.start();
  await albums.status('live');
  await albums.shows('Absolution');
});
