import type { ReactElement } from 'react';

/** What to try, for someone who sees the app for the first time. */
export function Guide(): ReactElement {
  return (
    <details className="card guide" open>
      <summary>What to try</summary>
      <ol>
        <li>
          <b>Open a second window</b> beside this one, or another browser. What you add, edit or delete in one shows in the
          other at once.
        </li>
        <li>
          <b>Go offline</b> (in the developer tools, or pull the plug) and go on working. Reload: your changes are still
          here. Back online, they are sent.
        </li>
        <li>
          <b>Stop the server</b> with Ctrl-C, or <code>kill -9</code>. Windows of one browser still see each other’s
          changes; start it again, and everyone agrees.
        </li>
        <li>
          <b>Search</b>, or choose years. The list stays true: albums enter and leave it as they are edited.
        </li>
        <li>
          <b>Fill the shelf</b> with <code>make seed N=100000</code> and drag the scrollbar: the page holds a few hundred of
          them.
        </li>
      </ol>
    </details>
  );
}
