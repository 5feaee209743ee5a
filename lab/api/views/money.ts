/** Prices as the API prints them: decimal strings, net and with 19 % VAT. */
const vat = 1.19;
const hoursPerMonth = 624;

export interface Price {
  net: string;
  gross: string;
}

export function price(net: number): Price {
  return { net: net.toFixed(4), gross: (net * vat).toFixed(4) };
}

/** Monthly and hourly price of something that costs `monthlyNet` EUR a month. */
export function prices(monthlyNet: string): { price_hourly: Price; price_monthly: Price } {
  const month = Number(monthlyNet);
  return { price_hourly: price(month / hoursPerMonth), price_monthly: price(month) };
}
