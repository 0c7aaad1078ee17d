/* wna-core. Never blocks. Owns nothing. A chart of the last hour, a bar for each minute. */
#include <stdio.h>

#include "core.h"
#include "trend.h"

enum { STEP = 4, HEIGHT = 48 }; /* of the drawing, in its own units */

struct hour {
	int64_t point[TREND_POINTS]; /* the last one is of the last whole minute; -1: none */
	int64_t largest;             /* -1: none at all */
};

/* The minutes after the trend's last point have no value. */
static void read_hour(const struct fact *fact, int64_t now_ms, struct hour *ret)
{
	int64_t point[TREND_POINTS];
	int64_t minute = now_ms / TREND_MINUTE_MS - 1;
	bool sound = fact->seen && fact->value >= 0 && fact->value <= minute;
	int64_t late = sound ? minute - fact->value : TREND_POINTS;

	trend_parse(fact->why, point);
	ret->largest = -1;
	for (int i = 0; i < TREND_POINTS; i++) {
		bool has = late < TREND_POINTS - i;

		ret->point[i] = has ? point[i + (int)late] : -1;
		if (ret->point[i] > ret->largest)
			ret->largest = ret->point[i];
	}
}

static void put_bars(struct sb *sb, const struct hour *hour, double top)
{
	sb_put(sb, "<path d=\"");
	for (int i = 0; i < TREND_POINTS; i++) {
		double height = top > 0 ? (double)hour->point[i] / top * (HEIGHT - 1) : 0;

		if (hour->point[i] >= 0)
			sb_printf(sb, "M%d %dV%.1f", i * STEP + STEP / 2, HEIGHT,
			          HEIGHT - 1 - (height < HEIGHT - 1 ? height : HEIGHT - 1));
	}
	sb_put(sb, "\"/>");
}

void html_chart(struct sb *sb, const struct html_chart *chart, const struct facts *facts,
                int64_t now_ms)
{
	struct hour hour;
	char now[48] = "not known", most[80] = "no value in the last hour";

	read_hour(facts_get(facts, chart->hour, 0), now_ms, &hour);
	if (chart->now >= 0)
		snprintf(now, sizeof now, "%.1f %s", chart->now / chart->scale, chart->unit);
	if (hour.largest >= 0)
		snprintf(most, sizeof most, "at most %.1f %s in the last hour",
		         (double)hour.largest / chart->scale, chart->unit);
	sb_printf(
	        sb,
	        "<figure class=\"card\"><figcaption class=\"row\">%s <b>%s</b> <span>%s</span>"
	        "</figcaption><svg viewBox=\"0 0 %d %d\" preserveAspectRatio=\"none\" role=\"img\" "
	        "aria-label=\"%s: now %s, %s\">",
	        chart->title, now, most, TREND_POINTS * STEP, HEIGHT, chart->title, now, most);
	put_bars(sb, &hour, chart->top > 0 ? chart->top : (double)hour.largest);
	sb_put(sb,
	       "</svg><p class=\"row dim\"><span>60 min ago</span> <span>now</span></p></figure>");
}
