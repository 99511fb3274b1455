import { expect, test } from 'vitest';

import { serverUrl } from '../src/server-url.ts';

const page = { configured: undefined, development: false, hostname: 'albums.example' };

test('the server is where the page came from', () => {
  expect(serverUrl(page)).toBeUndefined();
});

test('in development it is beside the development server', () => {
  expect(serverUrl({ ...page, development: true, hostname: 'localhost' })).toBe('ws://localhost:9797/ws');
});

test.each([true, false])('a configured address counts (development: %s)', development => {
  expect(serverUrl({ ...page, configured: 'wss://sync.example/ws', development })).toBe('wss://sync.example/ws');
});
