"""The screen: frame, components, charts and texts. Nothing below `core/ui` imports Streamlit."""
