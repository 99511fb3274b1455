import type { ReactElement, ReactNode } from 'react';

function Icon({ children }: { readonly children: ReactNode }): ReactElement {
  return (
    <svg
      viewBox="0 0 24 24"
      fill="none"
      stroke="currentColor"
      strokeWidth="1.8"
      strokeLinecap="round"
      strokeLinejoin="round"
      aria-hidden="true"
    >
      {children}
    </svg>
  );
}

/** A pencil. */
export function EditIcon(): ReactElement {
  return (
    <Icon>
      <path d="M4 20h4L19 9a2.8 2.8 0 0 0-4-4L4 16v4Z" />
      <path d="m13.5 6.5 4 4" />
    </Icon>
  );
}

/** A bin. */
export function DeleteIcon(): ReactElement {
  return (
    <Icon>
      <path d="M4 7h16M10 4h4M6 7l1 13h10l1-13M10 11v5M14 11v5" />
    </Icon>
  );
}

/** A clock that runs back. */
export function HistoryIcon(): ReactElement {
  return (
    <Icon>
      <path d="M4 5v4h4" />
      <path d="M4.5 9a8 8 0 1 1-.5 4M12 8v4.5l3 1.8" />
    </Icon>
  );
}

/** A tick. */
export function SaveIcon(): ReactElement {
  return (
    <Icon>
      <path d="m5 12.5 4.5 4.5L19 7.5" />
    </Icon>
  );
}

/** A cross. */
export function CancelIcon(): ReactElement {
  return (
    <Icon>
      <path d="M6 6l12 12M18 6 6 18" />
    </Icon>
  );
}
