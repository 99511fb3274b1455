import type { ReactElement } from 'react';

import { AlbumForm } from './album-form.tsx';
import { AlbumList } from './album-list.tsx';
import { Guide } from './guide.tsx';
import { Notices, NoticesProvider } from './notices.tsx';
import { StatusBanner } from './status-banner.tsx';
import { Visitors, VisitorsProvider } from './visitors.tsx';

export function App(): ReactElement {
  return (
    <NoticesProvider>
      <VisitorsProvider>
        <div className="page">
          <header className="masthead">
            <h1>
              <img src="/favicon.svg" alt="" />
              Albums
            </h1>
            <Visitors />
            <StatusBanner />
          </header>
          <Notices />
          <div className="columns">
            <AlbumForm />
            <AlbumList />
            <Guide />
          </div>
        </div>
      </VisitorsProvider>
    </NoticesProvider>
  );
}
