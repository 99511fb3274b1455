import { chromium, type Browser } from 'playwright-core';

/** Where the Chromium of this machine is. */
export const chromiumPath = process.env['CHROMIUM'] ?? '/usr/bin/chromium';

/** How it is started. */
export const chromiumArguments: readonly string[] = [
  '--headless',
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
];

/** Starts it. */
export function launchChromium(): Promise<Browser> {
  return chromium.launch({ executablePath: chromiumPath, args: [...chromiumArguments] });
}

/** How many shared workers run in the contexts of a browser. */
export async function sharedWorkers(browser: Browser): Promise<number> {
  const session = await browser.newBrowserCDPSession();
  try {
    const { targetInfos } = await session.send('Target.getTargets');
    return targetInfos.filter(({ type }) => type === 'shared_worker').length;
  } finally {
    await session.detach();
  }
}
