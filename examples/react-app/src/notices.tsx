import { useClient, useRejections, useStatus } from '@ankurah-go/react';
import { createContext, useCallback, useContext, useMemo, useState, type ReactElement, type ReactNode } from 'react';

import { RejectionNotice } from './rejection-notice.tsx';

/** Something to tell the user, until it is dismissed. */
interface Failure {
  readonly id: number;
  readonly title: string;
  readonly message: string;
}

interface NoticeBoard {
  readonly failures: readonly Failure[];
  readonly report: (title: string, error: unknown) => void;
  readonly dismiss: (id: number) => void;
}

const NoticesContext = createContext<NoticeBoard | undefined>(undefined);

function useNoticeBoard(): NoticeBoard {
  const board = useContext(NoticesContext);
  if (board === undefined) throw new Error('there is no <NoticesProvider> above');
  return board;
}

/** Holds what the components below it report. */
export function NoticesProvider({ children }: { readonly children: ReactNode }): ReactElement {
  const [failures, setFailures] = useState<readonly Failure[]>([]);
  const report = useCallback((title: string, error: unknown) => {
    const message = error instanceof Error ? error.message : String(error);
    setFailures(present => [...present, { id: (present.at(-1)?.id ?? 0) + 1, title, message }]);
  }, []);
  const dismiss = useCallback((id: number) => setFailures(present => present.filter(failure => failure.id !== id)), []);
  const board = useMemo(() => ({ failures, report, dismiss }), [failures, report, dismiss]);
  return <NoticesContext value={board}>{children}</NoticesContext>;
}

/** Returns a function that tells the user of an error. */
export function useReport(): NoticeBoard['report'] {
  return useNoticeBoard().report;
}

/** Shows what the server refused, what this device could not do, and what the node itself suffers from. */
export function Notices(): ReactElement {
  const client = useClient();
  const { failures, report, dismiss } = useNoticeBoard();
  const rejections = useRejections();
  const { error, warning, connection } = useStatus();
  const dismissAll = (): void => {
    client.dismissRejections().catch((reason: unknown) => report('Could not dismiss the notices', reason));
  };
  return (
    <ul className="notices" aria-live="polite" aria-label="Notices">
      {error !== undefined && error.code !== 'offline' && connection !== 'live' && (
        <Notice title="The server cannot be used" message={error.message} />
      )}
      {warning !== undefined && (
        <Notice title="This browser keeps no data: changes are lost on reload" message={warning.message} />
      )}
      {rejections.map(rejection => (
        <RejectionNotice key={rejection.transaction} rejection={rejection} report={report} />
      ))}
      {rejections.length > 1 && (
        <li>
          <button type="button" data-testid="dismiss-all" onClick={dismissAll}>
            Dismiss all {rejections.length}
          </button>
        </li>
      )}
      {failures.map(({ id, title, message }) => (
        <Notice key={id} testId="failure" title={title} message={message} onDismiss={() => dismiss(id)} />
      ))}
    </ul>
  );
}

interface NoticeProps {
  readonly title: string;
  readonly message: string;
  readonly testId?: string;
  readonly onDismiss?: () => void;
}

function Notice({ title, message, testId, onDismiss }: NoticeProps): ReactElement {
  return (
    <li className="notice" data-testid={testId}>
      <p>
        <strong>{title}</strong>
        {message}
      </p>
      {onDismiss && (
        <button type="button" onClick={onDismiss}>
          Dismiss
        </button>
      )}
    </li>
  );
}
