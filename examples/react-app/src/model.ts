import { defineModel, f, type Infer } from '@ankurah-go/client';

export const Album = defineModel(
  'album',
  { name: f.text(), artist: f.string(), year: f.int() },
  { indexes: [['name', 'artist'], ['artist', 'year', 'name'], ['year', 'name']] },
);
export type Album = Infer<typeof Album>;
