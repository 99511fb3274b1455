import Module from 'node:module';

// Packages that require React themselves (react-dom, Testing Library) are to get version 18 as well.
// Vitest's aliases end where such a package begins; Node.js resolves from there on.
// oxlint-disable eslint/no-underscore-dangle -- its name
interface Resolver {
  _resolveFilename(request: string, ...rest: unknown[]): string;
}
const resolver = Module as unknown as Resolver;
const resolve = resolver._resolveFilename;
resolver._resolveFilename = (request, ...rest) =>
  resolve.call(resolver, request.replace(/^(react|react-dom)(?=\/|$)/, '$1-18'), ...rest);

const { version } = await import('react');
if (!version.startsWith('18.')) throw new Error(`React ${version} is tested where 18 should be`);
