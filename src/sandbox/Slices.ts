const LENGTH = 64

/** A text in the pieces in which it is streamed. */
export const of = (text: string): ReadonlyArray<string> =>
  Array.from({ length: Math.ceil(text.length / LENGTH) }, (_, index) =>
    text.slice(index * LENGTH, (index + 1) * LENGTH),
  )
