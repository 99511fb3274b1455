import { fileURLToPath } from 'node:url';
import type { TestProjectConfiguration, ViteUserConfig } from 'vitest/config';

const client = fileURLToPath(new URL('../js/src/mod.ts', import.meta.url));

/** The whole suite against one version of React. */
function suite(name: string, alias: Record<string, string> = {}, setupFiles: string[] = []): TestProjectConfiguration {
  return {
    resolve: {
      alias: [
        { find: '@ankurah-go/client/presence', replacement: client.replace('mod.ts', 'presence.ts') },
        { find: '@ankurah-go/client', replacement: client },
        ...Object.entries(alias).map(([find, replacement]) => ({ find: new RegExp(`^${find}(?=/|$)`), replacement })),
      ],
    },
    test: {
      name,
      include: ['test/**/*.test.{ts,tsx}'],
      environment: 'happy-dom',
      setupFiles: [...setupFiles, 'test/setup.ts'],
    },
  };
}

const config: ViteUserConfig = {
  test: {
    projects: [
      suite('react 19'),
      suite('react 18', { react: 'react-18', 'react-dom': 'react-dom-18' }, ['test/setup-react-18.ts']),
    ],
  },
};

export default config;
