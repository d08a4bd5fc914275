"""The dashboard: `streamlit run app.py`."""

from core.ui.frame import navigate

navigate().run()
