/**
 * A foreign text as one line that does nothing but stand there: white space is one blank, characters that steer a terminal or
 * hide in a text (controls, zero widths, changes of direction) are left out.
 */
export const of = (text: string): string =>
  text
    .replace(/[\s\u0085]+/gu, " ")
    .replace(/[\p{Cc}\p{Cf}]+/gu, "")
    .trim()
