import { useStatus } from '@ankurah-go/react';
import type { ReactElement } from 'react';

const EXPLANATIONS = {
  connecting: 'Looking for the server. You can already work.',
  live: 'In step with the server.',
  offline: 'The server cannot be reached. Changes are kept on this device, and sent when it is back.',
} as const;

/** Shows the connection, and how many changes wait for it. */
export function StatusBanner(): ReactElement {
  const { connection, pending } = useStatus();
  return (
    <div className="banner" data-connection={connection} role="status" title={EXPLANATIONS[connection]}>
      <span className="banner-dot" aria-hidden="true" />
      <span data-testid="status">{connection}</span>
      <span className="banner-pending">
        <span data-testid="pending">{pending}</span> to send
      </span>
    </div>
  );
}
