import { defineModel, f, type Infer, type Model, type Property } from '@ankurah-go/client';

type Text = Property<string, 'required'>;
type Int = Property<number, 'required'>;

export const Album: Model<{ name: Text; artist: Text; year: Int }> = defineModel('album', {
  name: f.text(),
  artist: f.string(),
  year: f.int(),
});
export type Album = Infer<typeof Album>;

export const Artist: Model<{ name: Text }> = defineModel('artist', { name: f.text() });

/** Makes a row of the album collection. */
export function album(name: string, more?: Partial<Album>): Album {
  return Object.freeze({ id: `id of ${name}`, $sync: 'synced', name, artist: 'Muse', year: 2001, ...more });
}
