import { withoutDate } from "./PriceTable.js"

/**
 * Whose tokens a call used and whose price it bears: the model that answered. The one that was asked where nobody says, and
 * where the answer only names its dated form.
 */
export const answeredModel = (asked: string | null, answered: string | null): string | null =>
  answered === null || (asked !== null && withoutDate(asked) === withoutDate(answered)) ? asked : answered
